// How long it takes to start a command with one secret of a daemon that runs: `env FOO=bar` is the floor, dotenvx the peer.
// Needs `npm run build` and, for the peer, `npm install --prefix bench` before. Not for Windows.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus, tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { install, installedLauncher } from './lib/installed.mjs'
import { timeProcesses } from './lib/processes.mjs'

/** The program of dotenvx, and its version. */
function dotenvx() {
  const path = createRequire(import.meta.url).resolve('@dotenvx/dotenvx/package.json')
  const { bin, version } = createRequire(path)(path)
  return { program: join(dirname(path), typeof bin === 'string' ? bin : bin.dotenvx), version }
}

/** The rows: `env`, then what is compared with it; and how large the native program is. */
export function bench({ rounds = 21 } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'se-bench-'))
  const node = process.execPath
  const cli = install(folder)
  const se = installedLauncher(folder)
  // A short PATH, where the command is found at once: what is timed is the start. Node is found as it usually is.
  const env = { PATH: `/usr/bin:/bin:${dirname(node)}`, HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder }
  env.XDG_RUNTIME_DIR = join(folder, 'run')
  env.XDG_STATE_HOME = join(folder, 'state')
  mkdirSync(env.XDG_RUNTIME_DIR, { mode: 0o700 })
  // The daemon alone has a table, whose parser takes a client of JavaScript half a millisecond.
  symlinkSync(
    fileURLToPath(new URL('../node_modules/smol-toml', import.meta.url)),
    join(folder, 'node_modules/smol-toml'),
  )
  const config = join(folder, 'daemon.toml')
  writeFileSync(config, `store = "file"\n[daemon]\naddresses = ["${env.XDG_RUNTIME_DIR}/se-native/daemon.sock"]\n`)
  const own = (args, more = {}) =>
    execFileSync(node, [cli, ...args], { env: { ...env, ...more }, stdio: ['pipe', 'ignore', 'ignore'], input: 'bar' })
  const daemon = (word) => own(['daemon', word], { SE_CONFIG: config })
  try {
    own(['store', 'use', 'file', '--key-file'])
    const names = Array.from({ length: 10 }, (_, index) => `FOO${index || ''}`)
    for (const name of names) own(['set', `a/${name}`])
    daemon('start')
    const file = join(folder, '.env')
    writeFileSync(file, 'FOO=bar\n')
    const ten = names.flatMap((name) => ['-e', `${name}=se://a/${name}`])
    const { program, version } = dotenvx()
    const contenders = [
      { name: 'env FOO=bar', command: '/usr/bin/env', args: ['FOO=bar'] },
      {
        name: 'se run, native',
        command: se,
        args: ['run', '-e', 'FOO=se://a/FOO', '--'],
        goal: { most: 3, speedup: 100 },
      },
      { name: 'se run, native, ten references', command: se, args: ['run', ...ten, '--'] },
      { name: 'se run, JavaScript', command: node, args: [cli, 'run', '-e', 'FOO=se://a/FOO', '--'] },
      { name: `dotenvx ${version} run`, command: node, args: [program, 'run', '-q', '-f', file, '--'] },
    ]
    // First all must give a command the same variable; then only the start is timed.
    for (const { name, command, args } of contenders) {
      const seen = execFileSync(command, [...args, 'printenv', 'FOO'], { env }).toString()
      if (seen !== 'bar\n') throw new Error(`${name} gives the command ${JSON.stringify(seen)}`)
    }
    const rows = timeProcesses(
      contenders.map((one) => ({ ...one, args: [...one.args, 'true'] })),
      { env, rounds },
    )
    const peer = rows.at(-1).medianMs
    return {
      bytes: statSync(se).size,
      rows: rows.map((row, index) => ({ ...row, speedup: peer / row.medianMs, goal: contenders[index].goal })),
    }
  } finally {
    try {
      daemon('stop')
    } finally {
      rmSync(folder, { recursive: true })
    }
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const { rows, bytes } = bench()
  console.log(`Node ${process.version}, ${cpus()[0]?.model}; the native program has ${bytes} bytes`)
  console.table(
    rows.map(({ name, medianMs, leastMs, ratio, speedup, goal }) => ({
      name: `${name} -- true`,
      'median ms': medianMs.toFixed(2),
      'least ms': leastMs.toFixed(2),
      '× env': ratio.toFixed(2),
      '× faster than dotenvx': speedup.toFixed(1),
      goal: goal === undefined ? '' : `≤ ${goal.most} × env, ≥ ${goal.speedup} × faster`,
    })),
  )
}
