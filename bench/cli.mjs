// How long the command line takes to start, beside an empty program of Node: by JavaScript, but for the last row, which is
// the native program. Needs `npm run build` before.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { install, installedLauncher } from './lib/installed.mjs'
import { timeProcesses } from './lib/processes.mjs'

/** The rows: `node empty.cjs`, then what is compared with it, each with the ratio that it must keep. */
export function bench({ rounds = 31 } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'se-bench-'))
  try {
    const empty = join(folder, 'empty.cjs')
    writeFileSync(empty, '')
    const env = { PATH: process.env.PATH, HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder }
    env.XDG_RUNTIME_DIR = folder
    const node = process.execPath
    const cli = install(folder)
    const se = (...args) => ({ name: `se ${args.join(' ')}`, command: node, args: [cli, ...args] })
    execFileSync(node, [cli, 'store', 'use', 'file', '--key-file'], { env, stdio: 'ignore' })
    execFileSync(node, [cli, 'set', 'a/b'], { env, input: 'value' })
    const check = (expected) => (output) => {
      if (!output.includes(expected)) throw new Error(`expected ${expected}`)
    }
    // The daemon alone has the table, whose parser takes a client half a millisecond.
    const parser = new URL('../node_modules/smol-toml', import.meta.url)
    symlinkSync(fileURLToPath(parser), join(folder, 'node_modules/smol-toml'))
    const config = join(folder, 'daemon.toml')
    writeFileSync(config, `store = "file"\n[daemon]\naddresses = ["${folder}/se-native/daemon.sock"]\n`)
    const daemon = (word) =>
      execFileSync(node, [cli, 'daemon', word], { env: { ...env, SE_CONFIG: config }, stdio: 'ignore' })
    daemon('start')
    const get = { ...se('get', 'a/b', '--reveal'), check: check('value') }
    const rows = timeProcesses(
      [
        { name: 'node empty.cjs', command: node, args: [empty] },
        { ...se('--help'), check: check('Usage: se COMMAND') },
        { ...se('version'), check: check('se 0') },
        { ...se('ls'), check: check('a/b') },
        { ...se('get', 'a/b', '--reveal', '--no-daemon'), check: check('value') },
        { ...get, name: 'se get a/b --reveal, daemon, JavaScript' },
        { ...get, name: 'se get a/b --reveal, daemon', command: installedLauncher(folder), args: get.args.slice(1) },
      ],
      { env, rounds },
    )
    daemon('stop')
    const goals = { 'se --help': 1.3, 'se get a/b --reveal --no-daemon': 1.6, 'se get a/b --reveal, daemon': 1.6 }
    return rows.map((row) => ({ ...row, goal: goals[row.name] }))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(`Node ${process.version}, ${cpus()[0]?.model}`)
  console.table(
    bench().map(({ name, medianMs, leastMs, ratio, goal }) => ({
      name,
      'median ms': medianMs.toFixed(1),
      'least ms': leastMs.toFixed(1),
      ratio: ratio.toFixed(2),
      goal: goal === undefined ? '' : `≤ ${goal}`,
    })),
  )
}
