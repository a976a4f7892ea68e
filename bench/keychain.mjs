// The keychain on Linux beside @napi-rs/keyring and keytar, on a gnome-keyring of its own (scripts/with-keyring.sh).
// Needs `npm run build`, `npm install --prefix bench` (keytar builds with libsecret-1-dev) and secret-tool.
// All read the same items: each carries the attributes of all three programs.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { median } from './lib/median.mjs'
import { RawCaller, requestFor } from './lib/raw-caller.mjs'

const script = fileURLToPath(new URL('../scripts/with-keyring.sh', import.meta.url))
const self = fileURLToPath(import.meta.url)
const pinned = { linux: { store: 'secret-service' } }
const service = 'se-bench'
const CONNECTIONS = 8
const idOf = (n) => `bench/${String(n).padStart(5, '0')}`
const valueOf = (n) => `value of ${n}`

/** The rows: what was done, by whom, median and least milliseconds, how many times as long the peer takes, and the goal. */
export function bench({ items = 1000, rounds = 7 } = {}) {
  const { NODE_EXTRA_CA_CERTS: _, ...env } = process.env
  const output = execFileSync(
    script,
    ['--', process.execPath, '--expose-gc', self, '--inside', String(items), String(rounds)],
    {
      env,
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  )
  return JSON.parse(output)
}

function fill(from, to) {
  for (let n = from; n < to; n++) {
    const docker = ['service:group', 'com.docker.docker-pass', 'service:name', 'docker-pass-cli', 'id', idOf(n)]
    const others = [
      'xdg:schema',
      'org.freedesktop.Secret.Generic',
      'service',
      service,
      'username',
      idOf(n),
      'account',
      idOf(n),
    ]
    const label = `com.docker.docker-pass:docker-pass-cli:${idOf(n)}`
    execFileSync('secret-tool', ['store', `--label=${label}`, ...docker, ...others], { input: valueOf(n) })
  }
}

/** Entries of @napi-rs/keyring keep their connection until they are collected. */
async function collect() {
  globalThis.gc?.()
  await new Promise((resolve) => setImmediate(resolve))
}

// `repeat`: short work is done so many times in a row, as a program would, and its share counts. `each`: how many a run does at
// once, of which one counts.
async function measure(contenders, rounds, repeat = 1) {
  for (const { run, check } of contenders) check(await run())
  const times = contenders.map(() => [])
  for (let round = 0; round < rounds; round++) {
    const order = [...contenders.keys()]
    if (round % 2 === 1) order.reverse()
    await collect()
    for (const index of order) {
      const { run, prepare, each = 1 } = contenders[index]
      const prepared = await prepare?.()
      const startedAt = process.hrtime.bigint()
      for (let n = 0; n < repeat; n++) await run(prepared)
      times[index].push(Number(process.hrtime.bigint() - startedAt) / 1e6 / repeat / each)
    }
  }
  return contenders.map(({ task, name, goal, against }, index) => {
    const peer = contenders.findIndex((other) => other.name === against)
    return {
      task,
      name,
      medianMs: median(times[index]),
      leastMs: Math.min(...times[index]),
      ...(peer < 0 ? {} : { against, goal, speedup: median(times[index].map((t, round) => times[peer][round] / t)) }),
    }
  })
}

function expect(actual, expected) {
  if (actual !== expected) throw new Error(`expected ${expected}, got ${actual}`)
}

/** A daemon on this keyring, and a client of it. */
async function startDaemon(connect) {
  const folder = mkdtempSync(join(tmpdir(), 'se-bench-'))
  const [socket, config] = [join(folder, 'daemon.sock'), join(folder, 'config.toml')]
  writeFileSync(config, `store = "keychain"\n[daemon]\naddresses = [${JSON.stringify(socket)}]\n`)
  const cli = fileURLToPath(new URL('../dist/cli.cjs', import.meta.url))
  const env = { ...process.env, SE_CONFIG: config, XDG_STATE_HOME: folder }
  const child = spawn(process.execPath, [cli, 'daemon', 'run'], { env, stdio: ['ignore', 'inherit', 'pipe'] })
  await once(child.stderr, 'data') // the first line of its log: it has started
  child.stderr.resume()
  const client = await connect({ socket })
  const stop = async () => {
    await client.close()
    child.kill()
    await once(child, 'close')
    rmSync(folder, { recursive: true })
  }
  return { client, socket, stop }
}

async function inside(items, rounds) {
  const entry = new URL('../dist/index.js', import.meta.url)
  if (!existsSync(entry)) throw new Error('npm run build first')
  const { connect, openStore } = await import(entry.href)
  const require = createRequire(import.meta.url)
  const { Entry, findCredentials } = require('@napi-rs/keyring')
  const keytar = require('keytar')

  const open = () => openStore({ kind: 'keychain', prompt: false })
  const store = await open()
  // Each time another id, so that no run profits from the one before it.
  let next = 0
  let stored = 0
  const some = () => next++ % stored
  const dispose = (secrets) => {
    for (const secret of secrets) secret.dispose()
    return secrets.length
  }
  const readOurs = async () => {
    const secret = await store.get(idOf(some()))
    secret.dispose()
    return secret.id.startsWith('bench/')
  }
  const daemon = await startDaemon(connect)
  const readDaemon = async () => {
    const [secret] = await daemon.client.getSecrets(idOf(some()))
    secret.dispose()
    return secret.id.startsWith('bench/')
  }
  // Without our client, and by several at once, each for another id.
  const callers = Array.from({ length: CONNECTIONS }, () => new RawCaller(daemon.socket))
  const ask = (caller) =>
    new Promise((resolve, reject) => caller.ask(requestFor(idOf(some())), () => resolve(true), reject))
  const readRaw = () => ask(callers[0])
  const readManyRaw = async () => (await Promise.all(callers.map(ask))).every(Boolean)
  const readKeyring = () => new Entry(service, idOf(some()), pinned).getPassword()?.startsWith('value of')
  const is = (expected) => (actual) => expect(actual, expected)

  // An id that a store has not met is searched for; one that it knows is read at once.
  const get = async () => {
    const task = `get, ${stored} stored`
    const against = 'new Entry().getPassword()'
    const readFirst = async (opened) => {
      ;(await opened.get(idOf(some()))).dispose()
      return true
    }
    const openReady = async () => {
      const opened = await open()
      ;(await opened.get(idOf(stored - 1))).dispose()
      return opened
    }
    next = 0
    await store.list('**')
    for (const secret of await daemon.client.getSecrets('**')) secret.dispose() // the daemon has met them all, too
    return measure(
      [
        { task, name: against, run: readKeyring, check: is(true) },
        {
          task,
          name: 'keytar.getPassword()',
          run: async () => (await keytar.getPassword(service, idOf(some()))).startsWith('value of'),
          check: is(true),
        },
        {
          task,
          name: 'store.get, an id not met before',
          prepare: openReady,
          run: async (opened) => readFirst(opened ?? (await openReady())),
          check: is(true),
          against,
          goal: 10,
        },
        {
          task,
          name: 'of that, the search and the properties',
          prepare: openReady,
          run: async (opened) => (await (opened ?? (await openReady())).list(idOf(some()))).length,
          check: is(1),
        },
        { task, name: 'store.get', run: readOurs, check: is(true), against, goal: 10 },
        { task, name: 'through the daemon', run: readRaw, check: is(true), against, goal: 10 },
        {
          task,
          name: `through the daemon, ${CONNECTIONS} callers at once`,
          run: readManyRaw,
          each: CONNECTIONS,
          check: is(true),
          against,
          goal: 10,
        },
        { task, name: 'through the daemon, with our client', run: readDaemon, check: is(true), against },
      ],
      Math.max(rounds, 9),
      100,
    )
  }
  fill(0, Math.min(items, 100))
  stored = Math.min(items, 100)
  const few = await get()
  fill(stored, items)
  stored = items
  const many = await get()

  const listOurs = async (opened) => {
    const listed = (await opened.list('**', { times: false })).length
    return listed
  }
  const list = await measure(
    [
      { task: `list ${items}`, name: 'findCredentials', run: () => findCredentials(service).length, check: is(items) },
      {
        task: `list ${items}`,
        name: 'keytar.findCredentials',
        run: async () => (await keytar.findCredentials(service)).length,
        check: is(items),
      },
      {
        task: `list ${items}`,
        name: 'store.list, cold',
        prepare: open,
        run: async (opened) => listOurs(opened ?? (await open())),
        check: is(items),
        against: 'findCredentials',
        goal: 3,
      },
      {
        task: `values of ${items}`,
        name: 'store.getMany, ids known',
        run: async () => dispose(await store.getMany('**')),
        check: is(items),
        against: 'findCredentials',
        goal: 10,
      },
      {
        task: `list ${items}`,
        name: 'store.list, warm',
        run: () => listOurs(store),
        check: is(items),
        against: 'findCredentials',
      },
    ],
    rounds,
  )

  const ids = Array.from({ length: items }, (_, n) => idOf(n))
  const batch = await measure(
    [
      {
        task: `${items} ids`,
        name: 'new Entry().getPassword() each',
        run: async () => {
          let found = 0
          for (const [n, id] of ids.entries()) {
            if (new Entry(service, id, pinned).getPassword() !== null) found++
            if (n % 50 === 49) await collect() // a thousand connections would slow the bus down
          }
          return found
        },
        check: is(items),
      },
      {
        task: `${items} ids`,
        name: 'store.getMany(ids)',
        run: async () => dispose(await store.getMany(ids)),
        check: is(items),
        against: 'new Entry().getPassword() each',
        goal: 10,
      },
    ],
    Math.min(rounds, 3),
  )
  for (const caller of callers) caller.close()
  await daemon.stop()
  await store.close()
  return [...few, ...many, ...list, ...batch]
}

if (process.argv[2] === '--inside') {
  process.stdout.write(JSON.stringify(await inside(Number(process.argv[3]), Number(process.argv[4]))))
  process.exit(0)
} else if (process.argv[1] === self) {
  const rows = bench({ items: Number(process.argv[2] ?? 1000) })
  console.log(`Node ${process.version}, ${cpus()[0].model}, gnome-keyring`)
  console.table(
    rows.map((row) => ({
      ...row,
      medianMs: +row.medianMs.toFixed(2),
      leastMs: +row.leastMs.toFixed(2),
      speedup: row.speedup && +row.speedup.toFixed(1),
    })),
  )
}
