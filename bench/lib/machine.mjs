// What a result depends on.
import { readFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'

/** One line: CPU, memory, Node, and the versions of the peers, which are packages in bench/node_modules. */
export function machine(peers = []) {
  const processors = cpus()
  const versions = peers.map((peer) => `${peer} ${version(peer)}`)
  const memory = `${Math.round(totalmem() / 2 ** 30)} GiB`
  return [
    `${processors.length} × ${processors[0]?.model ?? 'unknown CPU'}`,
    memory,
    `Node ${process.version}`,
    ...versions,
  ].join(', ')
}

function version(peer) {
  const file = new URL(`../node_modules/${peer}/package.json`, import.meta.url)
  return JSON.parse(readFileSync(file, 'utf8')).version
}
