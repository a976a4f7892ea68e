// What it costs to start a command with its variables: `env` and `node empty.cjs` are the floors, dotenvx the peer.
// Needs `npm run build` and, for the peer, `npm install --prefix bench` before.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { install } from './lib/installed.mjs'
import { timeProcesses } from './lib/processes.mjs'

/** The program of dotenvx, and its version. */
function dotenvx() {
  const path = createRequire(import.meta.url).resolve('@dotenvx/dotenvx/package.json')
  const { bin, version } = createRequire(path)(path)
  return { program: join(dirname(path), typeof bin === 'string' ? bin : bin.dotenvx), version }
}

/** The rows: `env`, then what is compared with it. `speedup` is how many times as long dotenvx takes, by medians. */
export function bench({ rounds = 31 } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'se-bench-'))
  try {
    const [empty, file, references] = ['empty.cjs', '.env', 'se.env'].map((name) => join(folder, name))
    writeFileSync(empty, '')
    writeFileSync(file, 'FOO=bar\n')
    writeFileSync(references, 'FOO=se://a/foo\n')
    // NODE_EXTRA_CA_CERTS is left out: where it is set, Node 20 alone takes three times as long to start.
    const env = { PATH: process.env.PATH, HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder }
    const node = process.execPath
    const cli = install(folder)
    execFileSync(node, [cli, 'store', 'use', 'file', '--key-file'], { env, stdio: 'ignore' })
    execFileSync(node, [cli, 'set', 'a/foo'], { env, input: 'bar' })
    const { program, version } = dotenvx()
    if (!existsSync(program)) throw new Error(`${program} is not there`)
    const contenders = [
      { name: 'env FOO=bar', command: 'env', args: ['FOO=bar'] },
      { name: 'se run', command: node, args: [cli, 'run', '--'], ambient: 'FOO=bar' },
      { name: 'se run -f, plain', command: node, args: [cli, 'run', '-f', file, '--'] },
      { name: 'se run -f, one reference', command: node, args: [cli, 'run', '-f', references, '--'] },
      { name: `dotenvx ${version} run`, command: node, args: [program, 'run', '-q', '-f', file, '--'] },
    ]
    // First all must give a command the same variable; then only the start is timed.
    for (const { name, command, args, ambient } of contenders) {
      const own = ambient === undefined ? env : { ...env, FOO: 'bar' }
      const seen = execFileSync(command, [...args, 'printenv', 'FOO'], { env: own }).toString()
      if (seen !== 'bar\n') throw new Error(`${name} gives the command ${JSON.stringify(seen)}`)
    }
    const timed = contenders.map(({ name, command, args }) => ({ name, command, args: [...args, 'true'] }))
    const rows = timeProcesses([...timed, { name: 'node empty.cjs', command: node, args: [empty] }], { env, rounds })
    const peer = rows.find(({ name }) => name.startsWith('dotenvx')).medianMs
    return rows.map((row) => ({ ...row, speedup: peer / row.medianMs, goal: row.name === 'se run' ? 5 : undefined }))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(`Node ${process.version}, ${cpus()[0]?.model}`)
  console.table(
    bench().map(({ name, medianMs, leastMs, ratio, speedup, goal }) => ({
      name: `${name} -- true`.replace('.cjs -- true', '.cjs'),
      'median ms': medianMs.toFixed(1),
      'least ms': leastMs.toFixed(1),
      '× env': ratio.toFixed(1),
      '× faster than dotenvx': speedup.toFixed(1),
      goal: goal === undefined ? '' : `≥ ${goal}`,
    })),
  )
}
