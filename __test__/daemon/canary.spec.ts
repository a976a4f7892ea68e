// A value that is known goes through the daemon, its plugins and its clients, with success and with failure. It may be
// where a value was asked for, in native memory that cores leave out, and nowhere else.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { Agent } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import anyTest, { type ExecutionContext, type TestFn } from 'ava'
import { ask, GET_SECRETS, type JsonEnvelope } from '../helpers/ask.js'
import { Canary, canaryInFiles, canaryInMemory } from '../helpers/canary.js'
import { type Daemon, startDaemon } from '../helpers/daemon.js'
import { buildGo, goMissing, writeSecrets } from '../helpers/go.js'
import { keyringMissing, startKeyring } from '../helpers/keyring.js'
import { hasProgram } from '../helpers/programs.js'
import { checkBundle, cli, createFileHome, createHome, type Home } from '../helpers/se.js'

const root = process.getuid?.() === 0
if (!root && process.env['SE_REQUIRE'] !== undefined) throw new Error('only root may look into a daemon')
const test = (process.platform === 'linux' && root ? anyTest.serial : anyTest.serial.skip) as TestFn
const traced = hasProgram('strace') ? test : anyTest.serial.skip
const hasGo = goMissing() === undefined
const onAKeyring = keyringMissing() === undefined ? test : anyTest.serial.skip

const canary = Canary.random()
const value = canary.text
/** As many as the goal says. */
const REQUESTS = 1000
const fixture = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url))

test.before(checkBundle)

test('file: after 1,000 requests of each kind the daemon has the value in the memory of its store alone, until it is locked', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  const daemon = await askMuch(t, home)
  // The store keeps what it has decrypted, in memory that is locked and left out of cores.
  t.deepEqual(canaryInMemory(canary, daemon.pid), ['anonymous memory: plain'])
  t.deepEqual(canaryInMemory(canary, daemon.pid, 'dumped'), [])
  await home.ok(['lock'])
  t.deepEqual(canaryInMemory(canary, daemon.pid), [])
})

onAKeyring('keychain: after 1,000 requests of each kind the daemon has the value nowhere', async (t) => {
  await using keyring = await startKeyring()
  const home = createHome((fn) => t.teardown(fn))
  home.env['DBUS_SESSION_BUS_ADDRESS'] = keyring.env['DBUS_SESSION_BUS_ADDRESS']
  const daemon = await askMuch(t, home)
  t.deepEqual(canaryInMemory(canary, daemon.pid), [])
})

test('plugins: the daemon has their values nowhere, and no failure of theirs quotes one', async (t) => {
  const { home, pluginLogs, ...plugins } = await createPlugins(t)
  const daemon = await startDaemon(t, { home, config: plugins.config, env: { SE_PASSPHRASE: 'of the user' } })
  for (const id of ['typed/value', 'lines/value', ...(hasGo ? ['going/value'] : [])])
    await askForms(t, daemon, id, id.startsWith('lines') ? 20 : 200)
  t.deepEqual(canaryInMemory(canary, daemon.pid), [])

  const shown: string[] = []
  for (const id of [
    'typed/throws',
    'typed/coded',
    'typed/prints',
    'lines/fails',
    'lines/garbage',
    'going/fails',
    '**',
  ]) {
    shown.push((await ask(daemon.socket, GET_SECRETS, { body: JSON.stringify({ pattern: id }) })).body.toString())
    if (id === '**' || id === 'typed/prints') t.is(canary.foundIn(Buffer.from(shown.pop() as string)), 'base64 at 0')
    for (const args of [
      ['explain', id],
      ['explain', id, '--json'],
      ['get', id],
      ['get', id, '--no-daemon'],
    ]) {
      const { stdout, stderr } = await home.se(args)
      shown.push(stdout.toString(), stderr)
    }
  }
  for (const args of [
    ['doctor'],
    ['daemon', 'status'],
    ['daemon', 'status', '--json'],
    ['plugins', 'ls'],
    ['plugins', 'ls', '--json'],
    ['plugins', 'test', 'typed', '--id', 'typed/value'],
    ['plugins', 'test', 'typed', '--id', 'typed/throws'],
    ['plugins', 'test', 'lines', '--id', 'lines/value'],
    ['plugins', 'test', 'lines', '--id', 'lines/fails'],
    ['plugins', 'logs', 'lines'],
  ]) {
    const { stdout, stderr } = await home.se(args)
    t.is(canary.foundIn(stdout), undefined, `se ${args.join(' ')}`)
    t.is(canary.foundIn(stderr), undefined, `se ${args.join(' ')}`)
  }
  for (const text of shown) t.is(canary.foundIn(text), undefined, text)

  // What a plugin prints is its own affair, in a log that nobody else reads.
  const log = join(pluginLogs, 'typed.log')
  await until(() => canary.foundIn(readFileSync(log)))
  t.is(statSync(log).mode & 0o777, 0o600)
  rmSync(log)
  lookAround(t, daemon)
})

/** A home with a plugin of each kind, whose values are in files outside of it. */
async function createPlugins(t: ExecutionContext) {
  const home = await createFileHome((fn) => t.teardown(fn))
  const folder = mkdtempSync(join(tmpdir(), 'se-values-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'value')
  writeFileSync(file, value)
  const lines = join(folder, 'lines')
  writeFileSync(lines, LINES_PLUGIN)
  chmodSync(lines, 0o755)
  const table = (name: string, command: readonly string[], more = ''): string =>
    `[plugins.${name}]\ncommand = ${JSON.stringify(command)}\n${more}env = { VALUE_FILE = "${file}" }\n`
  const typed = [process.execPath, fixture('canary-plugin.mjs')]
  const tables = [table('typed', typed), table('lines', [lines], 'protocol = "lines"\npattern = "lines/**"\n')]
  if (hasGo) {
    const secrets = writeSecrets(folder, [{ id: 'going/value', value: Buffer.from(value) }])
    const program = join(await buildGo(), 'plugin')
    tables.push(table('going', [program, '-pattern', 'going/**', '-secrets', secrets]))
    // It says it itself: what its arguments show is its own affair.
    const failing = join(folder, 'failing')
    writeFileSync(
      failing,
      `#!/bin/sh\nexec '${program}' -pattern 'failing/**' -fail "cannot use $(cat "$VALUE_FILE")"\n`,
    )
    chmodSync(failing, 0o755)
    tables.push(table('failing', [failing]))
  }
  return { home, config: tables.join('\n'), pluginLogs: join(home.folder, '.local/state/se-native/plugins') }
}

const LINES_PLUGIN = `#!/bin/sh
read -r line
case $line in
  *lines/fails*) cat "$VALUE_FILE"; exit 3 ;;
  *lines/garbage*) cat "$VALUE_FILE"; echo ;;
  *) printf '{"id":"lines/value","value":"%s"}\\n' "$(cat "$VALUE_FILE")" ;;
esac
`

/** Stores the value, asks a new daemon for it in every form, and looks into its heap and its files. */
async function askMuch(t: ExecutionContext, home: Home): Promise<Daemon> {
  await home.ok(['set', 'a/b'], { stdin: value })
  const daemon = await startDaemon(t, { home, nodeArguments: snapshotArguments(home) })
  await askForms(t, daemon, 'a/b', REQUESTS)
  await useInAProcess(t, home, 'se://a/b', REQUESTS)
  t.is(canary.foundIn(await heapSnapshot(t, home, daemon.pid, daemon.socket)), undefined, 'the heap of the daemon')
  lookAround(t, daemon)
  return daemon
}

test('a daemon that is killed leaves no core with the value behind', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  await home.ok(['set', 'a/b'], { stdin: value })
  const launcher = ['sh', '-c', 'ulimit -c unlimited; exec "$@"', 'sh']
  const daemon = await startDaemon(t, { home, launcher })
  await askForms(t, daemon, 'a/b', 10)
  daemon.signal('SIGABRT')
  t.is(await daemon.ended, 'SIGABRT')
  const cores = () => readdirSync(join(home.folder, 'work')).filter((name) => name.startsWith('core'))
  t.deepEqual(cores(), [])
  t.deepEqual(canaryInFiles(canary, home.folder), [])
  // Here it would have been. Where the system sends cores elsewhere, only /proc/sys/kernel/core_pattern knows.
  const other = spawn('sh', ['-c', 'ulimit -c unlimited; kill -ABRT $$'], { cwd: join(home.folder, 'work') })
  await once(other, 'close')
  if (!/[|/]/.test(readFileSync('/proc/sys/kernel/core_pattern', 'utf8'))) t.is(cores().length, 1)
})

test('a passphrase that the daemon is given, right or wrong, comes out nowhere', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  await home.ok(['store', 'use', 'file'], { env: { SE_PASSPHRASE: value } })
  const daemon = await startDaemon(t, { home, nodeArguments: snapshotArguments(home) })
  const shown: string[] = []
  for (const [stdin, status] of [
    [`not ${value}`, 4],
    [value, 0],
  ] as const) {
    const ended = await home.se(['unlock'], { stdin })
    t.is(ended.status, status, ended.stderr)
    shown.push(ended.stdout.toString(), ended.stderr)
  }
  for (const args of [['explain', 'a/b'], ['doctor'], ['daemon', 'status'], ['daemon', 'status', '--json'], ['lock']]) {
    const { stdout, stderr } = await home.se(args)
    shown.push(stdout.toString(), stderr)
  }
  t.is(canary.foundIn(shown.join('\n')), undefined)
  if (process.platform === 'linux') t.deepEqual(canaryInMemory(canary, daemon.pid), [], 'locked, it keeps nothing')
  t.is(canary.foundIn(await heapSnapshot(t, home, daemon.pid, daemon.socket)), undefined)
  lookAround(t, daemon)
})

traced('se get gets the value from the socket, and gives it to nobody but its standard output', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  await home.ok(['set', 'a/b'], { stdin: value })
  await startDaemon(t, { home })
  const log = join(home.folder, 'calls')
  const program = ['strace', '-f', '-qq', '-s', '1000000', '-o', log, process.execPath, cli]
  const { stdout } = await home.se(['get', 'a/b', '--reveal'], { program })
  t.is(stdout.toString(), value)
  const lines = readFileSync(log, 'utf8').split('\n')
  const seen = lines.filter((line) => canary.foundIn(line) !== undefined)
  const calls = seen.map((line) =>
    /^\d+ +(\w+)\((\d+)/
      .exec(line)
      ?.slice(1)
      .join(' ')
      .replace(/ \d\d+$/, ' socket'),
  )
  t.deepEqual(calls, ['recvfrom socket', 'write 1'])
  rmSync(log)
})

/** Asks for one id as programs do that know HTTP: in JSON and in protobuf, several at once. */
async function askForms(t: ExecutionContext, { socket }: Daemon, id: string, times: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 8 })
  const json = () => ask(socket, GET_SECRETS, { body: JSON.stringify({ pattern: id }), agent })
  const message = Buffer.from([0x0a, id.length, ...Buffer.from(id)])
  const proto = () =>
    ask(socket, GET_SECRETS, { body: message, headers: { 'content-type': 'application/proto' }, agent })
  for (const send of [json, proto]) {
    let left = times
    const one = async (): Promise<void> => {
      while (left-- > 0) {
        const { status, body } = await send()
        if (status !== 200) throw new Error(body.toString())
      }
    }
    await Promise.all(Array.from({ length: 8 }, one))
  }
  const [envelope] = (await json()).json<{ envelopes: JsonEnvelope[] }>().envelopes
  t.deepEqual(Buffer.from(envelope?.value ?? '', 'base64'), Buffer.from(value))
  t.is(canary.foundIn((await proto()).body), 'plain')
  agent.destroy()
}

/** Resolves a reference in a process of its own, and looks into that. */
async function useInAProcess(t: ExecutionContext, home: Home, ref: string, times: number): Promise<void> {
  const program = [...snapshotArguments(home), fixture('ask-daemon.mjs')]
  const child = spawn(process.execPath, [...program, ref, String(times)], {
    env: home.env,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const ended = once(child, 'close')
  const [said] = await Promise.race([once(child.stdout, 'data'), ended])
  t.is(String(said), 'done\n')
  const pid = child.pid as number
  t.deepEqual(canaryInMemory(canary, pid), [], 'the memory of a client')
  t.is(canary.foundIn(await heapSnapshot(t, home, pid, ref)), undefined, 'the heap of a client')
  child.stdin.end()
  await ended
}

/** For Node: a heap snapshot at SIGUSR2, into the home. */
function snapshotArguments({ folder }: Home): string[] {
  return ['--heapsnapshot-signal=SIGUSR2', `--diagnostic-dir=${join(folder, 'tmp')}`]
}

/** What is in the JavaScript heap of a process, which has this text there: the look is not blind. */
async function heapSnapshot(t: ExecutionContext, home: Home, pid: number, known: string): Promise<Buffer> {
  const folder = join(home.folder, 'tmp')
  process.kill(pid, 'SIGUSR2')
  const snapshot = await until(() => {
    const name = readdirSync(folder).find((one) => one.includes(`.${pid}.`) && one.endsWith('.heapsnapshot'))
    const bytes = name === undefined ? Buffer.alloc(0) : readFileSync(join(folder, name))
    return bytes.subarray(-4).includes('}') && isJson(bytes) ? bytes : undefined
  })
  t.true(snapshot.includes(known))
  return snapshot
}

function isJson(bytes: Buffer): boolean {
  try {
    return JSON.parse(bytes.toString()) !== null
  } catch {
    return false
  }
}

/** Looks at all that a daemon leaves for others to see: its files, its log, and the processes that it has started. */
function lookAround(t: ExecutionContext, { home, lines, others, pid }: Daemon): void {
  t.deepEqual(canaryInFiles(canary, home.folder), [])
  t.is(canary.foundIn(JSON.stringify([lines, others])), undefined)
  for (const process of [pid, ...childrenOf(pid)]) {
    const [argv, env] = ['cmdline', 'environ'].map((name) => readFileSync(`/proc/${process}/${name}`))
    if (!argv?.includes('-fail')) t.is(canary.foundIn(argv as Buffer), undefined, String(argv))
    if (process !== pid) t.is(canary.foundIn(env as Buffer), undefined, String(argv))
    if (process !== pid) t.notRegex(String(env), /PASSPHRASE/)
  }
  for (const folder of ['/dev/shm', tmpdir()]) {
    t.is(canary.foundIn(readdirSync(folder).join()), undefined)
  }
}

function childrenOf(pid: number): number[] {
  const own = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').match(/\d+/g) ?? []
  return own.map(Number).flatMap((child) => [child, ...childrenOf(child)])
}

async function until<T>(look: () => T | undefined): Promise<T> {
  for (;;) {
    const seen = look()
    if (seen !== undefined) return seen
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
