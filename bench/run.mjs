// Every benchmark, one after the other, into bench/RESULTS.md: `npm run bench [-- NAME…]`, where a NAME is `matcher`,
// `cli`, `run-command`, `launcher`, `redact`, `masked-run`, `daemon`, `keychain`, `engine`, `session` or `growth`. Needs `npm run build` and Go;
// installs the peers (keytar builds with libsecret).
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
delete process.env.NODE_EXTRA_CA_CERTS // Node 20 reads the bundle at every start: three times an empty program
if (!existsSync('bench/node_modules'))
  execFileSync('npm', ['install', '--prefix', 'bench', '--no-package-lock'], { stdio: 'inherit' })

const milliseconds = (value) => `${value.toPrecision(3)} ms`
const times = (value) => (value === undefined ? '' : `${value >= 100 ? Math.round(value) : value.toPrecision(3)}×`)
const table = (head, rows) =>
  [head, head.map((_, n) => (n === 0 ? '---' : '---:')), ...rows].map((row) => `| ${row.join(' | ')} |`).join('\n')
const missed = (isMissed) => (isMissed ? ' missed' : '')

const REDACT_NOTE = `dotenvx and varlock look for each value as it is, we for all its forms, some hundred. Twenty times the faster of them is more than \`cat\`
moves between two pipes here, unless there are many secrets: their time grows with the number of secrets, ours hardly does.`
const CLI_NOTE = `Where the time of \`se get\` goes beyond an empty program, by \`node --cpu-prof\`: a quarter to compile the bundle, a fifth to find and
load the addon, half for JavaScript that runs once and is therefore interpreted, the rest for the store on a thread of its own (two files,
one decryption). The ratio is smaller where an empty program takes longer: 1.4 on a machine that is busy.`

const KEYCHAIN_NOTE = `An id that the store has met costs the service one answer, GetSecret. One that it has not met costs three, one
after the other in the service: SearchItems, GetAll, GetSecret. The first two grow with the number of items; they are what
the row "of that" shows, and no client can spare the search. A listing that is warm asks the service nothing.`

const SESSION_NOTE = `A request is a stream of its own, as Docker’s protocol wants it: opened with the request in one frame, accepted, answered,
closed by both. In the plugin's process node:http reads it and an engine of one plugin answers, in ours the answer is read by hand and wiped.
About three quarters of the CPU time are the plugin's process, which for each stream makes what node:http makes for each connection.`

const DAEMON_NAMES = {
  echo: 'bare node:http, which knows the answer',
  connect: 'connect-node',
  ours: 'ours, with a plugin in memory',
}

const SECTIONS = {
  matcher: {
    title: 'Patterns and ids',
    async render({ bench }) {
      const { tables } = await import('./lib/table.mjs')
      return tables(await bench())
    },
  },
  cli: {
    title: 'Start of the command line',
    render({ bench }) {
      const rows = bench().map(({ name, medianMs, leastMs, ratio, goal }) => [
        `\`${name}\``,
        milliseconds(medianMs),
        milliseconds(leastMs),
        times(ratio),
        goal === undefined ? '' : `≤ ${goal}×${missed(ratio > goal)}`,
      ])
      return `${table(['', 'median', 'least', '`node empty.cjs`', 'goal'], rows)}\n\n${CLI_NOTE}`
    },
  },
  'run-command': {
    title: 'Starting a command with its variables',
    render({ bench }) {
      const rows = bench().map(({ name, medianMs, leastMs, ratio, speedup, goal }) => [
        `\`${name}\``,
        milliseconds(medianMs),
        milliseconds(leastMs),
        times(ratio),
        times(speedup),
        goal === undefined ? '' : `≥ ${goal}×${missed(speedup < goal)}`,
      ])
      return table(['', 'median', 'least', '`env`', 'faster than dotenvx', 'goal'], rows)
    },
  },
  launcher: {
    title: 'Starting a command through a warm daemon',
    render({ bench }) {
      const { rows, bytes } = bench()
      const lines = rows.map(({ name, medianMs, leastMs, ratio, speedup, goal }) => [
        `\`${name} -- true\``,
        milliseconds(medianMs),
        milliseconds(leastMs),
        times(ratio),
        times(speedup),
        goal === undefined
          ? ''
          : `≤ ${goal.most}×, ≥ ${goal.speedup}×${missed(ratio > goal.most || speedup < goal.speedup)}`,
      ])
      const heads = ['', 'median', 'least', '`env`', 'faster than dotenvx', 'goal']
      return `${table(heads, lines)}\n\nThe native program has ${Math.round(bytes / 1000)} kB.`
    },
  },
  redact: {
    title: 'A stream of log lines through the mask, MB/s',
    async render({ bench, GOALS }) {
      const rows = (await bench()).map(({ secrets, ours, run, cat, dotenvx, varlock, timesPeer }) => [
        secrets,
        Math.round(ours),
        Math.round(run),
        Math.round(cat),
        Math.round(dotenvx),
        Math.round(varlock),
        times(timesPeer),
        `≥ ${GOALS.megabytesPerSecond}, ≥ ${GOALS.timesPeer}×${missed(Math.min(ours, run) < GOALS.megabytesPerSecond || timesPeer < GOALS.timesPeer)}`,
      ])
      return `${table(['secrets', '`se redact`', '`se run --mask`', '`cat` in its place', 'dotenvx', 'varlock', 'the faster', 'goal'], rows)}\n\n${REDACT_NOTE}`
    },
  },
  'masked-run': {
    title: 'A command that writes much, masked',
    render({ bench }) {
      const rows = bench().map(({ kind, name, megabytesASecond, megabytesACpuSecond }) => [
        kind,
        name,
        Math.round(megabytesASecond),
        Math.round(megabytesACpuSecond),
      ])
      return table(['through', '', 'MB/s', 'MB for a second of CPU'], rows)
    },
  },
  daemon: {
    title: 'GetSecrets for one id, through the daemon’s server',
    async render({ bench }) {
      const rows = (await bench()).map(({ form, connections, name, perSecond, p50, p99, ratio, goal }) => [
        form,
        connections,
        DAEMON_NAMES[name],
        Math.round(perSecond),
        `${p50.toPrecision(3)} µs`,
        `${p99.toPrecision(3)} µs`,
        times(ratio),
        goal === undefined ? '' : `≥ ${goal}×${missed(ratio < goal)}`,
      ])
      return table(
        ['form', 'connections', 'server', 'requests a second', 'p50', 'p99', 'ours against it', 'goal'],
        rows,
      )
    },
  },
  keychain: {
    title: 'The keychain (gnome-keyring)',
    render({ bench }) {
      const rows = bench().map(({ task, name, medianMs, leastMs, against, speedup, goal }) => [
        task,
        name,
        milliseconds(medianMs),
        milliseconds(leastMs),
        against === undefined ? '' : `${times(speedup)} ${against}`,
        goal === undefined ? '' : `≥ ${goal}×${missed(speedup < goal)}`,
      ])
      return `${table(['task', 'by', 'median', 'least', 'faster than', 'goal'], rows)}\n\n${KEYCHAIN_NOTE}`
    },
  },
  engine: {
    title: 'The router',
    async render({ bench }) {
      const rows = (await bench()).map(({ name, medianUs, cost, goal }) => [
        name,
        medianUs < 1000 ? `${medianUs.toPrecision(3)} µs` : milliseconds(medianUs / 1000),
        medianUs < 1000 ? `${Math.round(1e6 / medianUs).toLocaleString('en')}` : '',
        times(cost),
        goal === undefined ? '' : `≤ ${goal}×${missed(cost > goal)}`,
      ])
      return table(['', 'median', 'a second', 'of the first', 'goal'], rows)
    },
  },
  session: {
    title: 'A plugin in a process of its own',
    async render({ bench }) {
      const { tables } = await import('./lib/table.mjs')
      return `${tables(await bench())}\n\n${SESSION_NOTE}`
    },
  },
  growth: {
    title: 'Memory of the daemon',
    async render({ bench }) {
      const rows = (await bench()).map(({ what, count, before, megabytes, descriptors, goalMB }) => [
        what,
        count === undefined ? '' : String(count),
        before === undefined ? '' : `${before.megabytes.toFixed(1)} MB`,
        `${megabytes.toFixed(1)} MB`,
        before === undefined ? String(descriptors) : `${before.descriptors} → ${descriptors}`,
        `≤ ${goalMB.toFixed(0)} MB${missed(megabytes > goalMB)}`,
      ])
      return table(['', 'how many', 'before', 'after', 'descriptors', 'goal'], rows)
    },
  },
}

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(SECTIONS)
const unknown = wanted.find((name) => !(name in SECTIONS))
if (unknown !== undefined) throw new Error(`no benchmark ${unknown}; there are ${Object.keys(SECTIONS).join(', ')}`)

const file = 'bench/RESULTS.md'
const old = existsSync(file) ? readFileSync(file, 'utf8') : ''
const { machine } = await import('./lib/machine.mjs')
const about = machine(['picomatch', 'minimatch', '@dotenvx/dotenvx', '@napi-rs/keyring', 'keytar'])
const parts = [
  '# Results\n\nMedians of interleaved rounds; a ratio is the median of the ratios within a round. Machines are noisy: read the\nratios. Contenders were checked for equal results first. Made by `npm run bench`.\n',
]
// In reverse: a process that holds the matcher's million ids takes longer to start others.
const texts = new Map()
for (const [name, { title, render }] of Object.entries(SECTIONS).reverse()) {
  if (!wanted.includes(name)) continue
  process.stdout.write(`## ${title}\n`)
  const text = await render(await import(`./${name}.mjs`))
  process.stdout.write(`${text}\n\n`)
  texts.set(name, `## ${title}\n\n${about}\n\n${text}`)
}
for (const [name, { title }] of Object.entries(SECTIONS)) {
  const kept = old.split(/^(?=## )/m).find((part) => part.startsWith(`## ${title}\n`))
  const part = texts.get(name) ?? kept
  if (part !== undefined) parts.push(part)
}
writeFileSync(file, `${parts.map((part) => part.trimEnd()).join('\n\n')}\n`)
