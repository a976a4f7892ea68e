// The command line with a daemon: the answers are those of the engine in process, byte for byte.
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { type Daemon, startDaemon } from '../helpers/daemon.js'
import { startHanging } from '../helpers/fake-daemon.js'
import { checkBundle, createFileHome, createHome } from '../helpers/se.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const onUnix = process.platform === 'win32' ? test.skip : test

test.before(checkBundle)

/** A plugin in ten lines of shell: `shared/a`, which the store has too, `clock/zero`, and a failure. */
const PLUGIN = `#!/bin/sh
while read -r line; do
  case $line in
    *shared/*) echo '{"id":"shared/a","value":"of the plugin"}' ;;
    *clock/*) echo '{"id":"clock/zero","value":"0"}' ;;
    *fails/*) exit 3 ;;
  esac
done
`

async function start(t: ExecutionContext): Promise<Daemon> {
  const home = await createFileHome((fn) => t.teardown(fn))
  const program = join(home.folder, 'plugin.sh')
  writeFileSync(program, PLUGIN)
  chmodSync(program, 0o755)
  const table = (name: string, pattern: string) =>
    `[plugins.${name}]\ncommand = ${JSON.stringify(program)}\nprotocol = "lines"\npattern = "${pattern}"\n`
  const config = table('shared', 'shared/**') + table('clock', 'clock/**') + table('fails', 'fails/**')
  const daemon = await startDaemon(t, { home, config })
  await home.ok(['set', 'shared/a'], { stdin: 'of the store' })
  await home.ok(['set', 'app/db', '-m', 'owner=ada'], { stdin: 'hunter2' })
  await home.ok(['set', 'app/bytes', '--verbatim'], { stdin: Buffer.from([0, 255, 10]) })
  await home.ok(['set', 'fails/a'], { stdin: 'beside a failure' })
  return daemon
}

onUnix('get, run and env through the daemon do what they do without', async (t) => {
  const { home, lines } = await start(t)
  const run = ['run', '--', 'sh', '-c', 'printf %s "$A$B"; exit 3']
  const cases: [args: string[], env?: NodeJS.ProcessEnv][] = [
    [['get', 'app/db']],
    [['get', 'app/db', '--reveal']],
    [['get', 'app/bytes', '--reveal']],
    [['get', 'app/none']],
    [['get', 'ap/db']],
    [['get', 'app/*']],
    [['get', 'shared/a']],
    [['get', 'clock/zero', '--reveal']],
    [['get', 'fails/a', '--reveal']],
    [['get', 'fails/b']],
    [['get', 'docker/secrets-engine/plugins/a']],
    [run, { A: 'se://app/db', B: 'se://clock/*' }],
    [run, { A: 'se://app/none', B: 'se://app/**' }],
    [run, { A: 'se://fails/a', B: 'se://shared/a' }],
    [run, { A: 'se://app/bytes' }],
    [['env', '--format', 'json', '-e', 'X=se://app/db'], { Y: 'se://clock/zero' }],
    [['env', '-e', 'X=se://shared/*']],
    [['env', '--strict', '-e', 'X=se://fails/a']],
    [
      [
        'env',
        '--env-from',
        'se://app/*',
        '--env-from',
        'se://clock/**',
        '--env-from',
        'se://app/db',
        '-e',
        'X=se://app/db',
      ],
    ],
    [
      [
        'env',
        '--env-from',
        'se://shared/**',
        '--env-from',
        'se://fails/**',
        '--env-from',
        'se://none/*',
        '--env-from',
        'se://ap/db',
      ],
    ],
    [['run', '--env-from', 'se://**/db', '--prefix', 'A_', '--', 'sh', '-c', 'printf %s "$A_APP"']],
  ]
  for (const [[command = '', ...args], env = {}] of cases) {
    const daemon = await home.se([command, ...args], { env })
    const inProcess = await home.se([command, '--no-daemon', ...args], { env })
    t.deepEqual(daemon, inProcess, `se ${command} ${args.join(' ')}`)
  }
  t.true(lines.length > cases.length, 'the daemon was asked')
})

/** A plugin that stays: facts in many scripts, times with and without fractions, and failures of its own. */
const TYPED = `
import { AccessError, definePlugin, runPlugin } from 'se-native'
const facts = {
  version: 'v2-é', metadata: { 'ключ': '値 🔑', note: 'a "b"\\n' },
  createdAt: new Date('2020-01-02T03:04:05.678Z'), expiresAt: new Date('2999-12-31T23:59:59Z'),
}
await runPlugin(definePlugin({
  name: 'typed', version: 'v1.0.0', pattern: 'typed/**',
  getSecrets({ text }) {
    if (text === 'typed/locked') throw new AccessError('SE_LOCKED', 'the vault is locked — “shut”', { hint: 'open it' })
    if (text === 'typed/broken') throw new Error('of which nothing is told')
    return text === 'typed/none' ? [] : [{ id: 'typed/facts', value: new Uint8Array([0, 255]), ...facts }, { id: 'typed/bare', value: '' }]
  },
}))
`
const LINES = `#!/bin/sh
echo '{"id":"lines/facts","value":"ü","version":"7","metadata":{"ключ":"値 🔑"},"createdAt":"2020-01-02T03:04:05.678Z","expiresAt":"2999-12-31T23:59:59+02:00"}'
`

onUnix('plugins of the configuration give the same facts and failures through the daemon and without', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  const work = join(home.folder, 'work')
  mkdirSync(join(work, 'node_modules'))
  symlinkSync(root, join(work, 'node_modules/se-native'))
  const [typed, lines] = [join(work, 'typed.mjs'), join(work, 'lines.sh')]
  writeFileSync(typed, TYPED)
  writeFileSync(lines, LINES, { mode: 0o755 })
  const command = JSON.stringify([process.execPath, typed])
  await startDaemon(t, {
    home,
    config:
      `[plugins.typed]\ncommand = ${command}\npattern = "typed/**"\ntimeout_ms = 60000\n` +
      `[plugins.lines]\ncommand = ${JSON.stringify(lines)}\nprotocol = "lines"\npattern = "lines/**"\n`,
  })
  const answered = async (...args: string[]) => {
    const { stdout, ...ended } = await home.se(args)
    const { resolvedAt, ...facts } = JSON.parse(stdout.toString() || '{}') as Record<string, unknown>
    return { ...ended, facts, resolved: typeof resolvedAt }
  }
  const told: Record<string, Awaited<ReturnType<typeof answered>>> = {}
  for (const id of ['typed/facts', 'typed/bare', 'typed/locked', 'typed/broken', 'typed/none', 'lines/facts']) {
    told[id] = await answered('get', id, '--json', '--reveal')
    t.deepEqual(told[id], await answered('get', id, '--json', '--reveal', '--no-daemon'), id)
  }
  t.like(told['typed/facts']?.facts, {
    version: 'v2-é',
    metadata: { ключ: '値 🔑', note: 'a "b"\n' },
    createdAt: '2020-01-02T03:04:05.678Z',
    expiresAt: '2999-12-31T23:59:59.000Z',
    valueBase64: 'AP8=',
  })
  t.like(told['lines/facts']?.facts, {
    version: '7',
    metadata: { ключ: '値 🔑' },
    expiresAt: '2999-12-31T21:59:59.000Z',
  })
  t.regex(told['typed/locked']?.stderr ?? '', /the vault is locked — “shut”\nhint: open it\n$/)
  t.is(told['typed/locked']?.status, 4)
  t.notRegex(told['typed/broken']?.stderr ?? '', /of which nothing is told/)
})

onUnix('explain tells of both the same, and who says it', async (t) => {
  const { home, socket } = await start(t)
  const explained = async (...args: string[]) => {
    const text = await home.ok(['explain', ...args, '--json'])
    const { plugins, engine, ...others } = JSON.parse(text) as { plugins: { latencyMs?: number }[]; engine: string }
    t.false(/of the (plugin|store)/.test(text))
    return { engine, told: { ...others, plugins: plugins.map(({ latencyMs: _, ...plugin }) => plugin) } }
  }
  for (const args of [['shared/a'], ['shared/*', '--policy', 'first'], ['se://none'], ['fails/b'], ['**']]) {
    const daemon = await explained(...args)
    const inProcess = await explained(...args, '--no-daemon')
    t.is(daemon.engine, `the daemon at ${socket}`)
    t.is(inProcess.engine, 'this process')
    t.deepEqual(daemon.told, inProcess.told, args.join(' '))
  }
  const table = await home.ok(['explain', 'shared/a', '--policy', 'first'])
  t.regex(table, /^PLUGIN +PATTERN +OUTCOME +ANSWERS +TIME\ndocker-pass +\*\* +answered +1 +[\d.]+ ms\n/)
  t.regex(table, /^clock +clock\/\*\* +not asked: no overlap +- +-$/m)
  t.true(table.endsWith(`se://shared/a is shared/a of docker-pass, says the daemon at ${socket}\n`))
  for (const flags of [[], ['--no-daemon']]) {
    t.regex(await home.ok(['explain', 'shared/aa', ...flags]), /\nhint: did you mean se:\/\/shared\/a\?\n$/)
  }
})

onUnix('se lock says so where nothing keeps the file shut', async (t) => {
  const { home } = await startDaemon(t)
  t.regex(
    (await home.se(['lock'])).stderr,
    /^The daemon has forgotten all values\.\nIt opens \S+store\.age again by itself, /,
  )
})

onUnix('what is disabled in the daemon is disabled without it', async (t) => {
  const { home } = await start(t)
  await home.ok(['plugins', 'disable', 'clock'])
  for (const flags of [[], ['--no-daemon']]) t.is((await home.se(['get', 'clock/zero', ...flags])).status, 3, flags[0])
})

onUnix('SE_SOCKET names the daemon that is asked, and is never passed over', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  await home.ok(['set', 'a/b'], { stdin: 'hunter2' })
  const other = join(home.folder, 'run/other.sock')
  await startDaemon(t, { home, addresses: [other] })
  const says = async (env: NodeJS.ProcessEnv, ...flags: string[]): Promise<string | undefined> =>
    / says (.*)\n/.exec(await home.ok(['explain', 'a/b', ...flags], { env }))?.[1]
  t.is(await says({}), 'this process')
  t.is(await says({ SE_SOCKET: other }), `the daemon at ${other}`)
  t.is(await says({ SE_SOCKET: other }, '--no-daemon'), 'this process')
  const nobody = join(home.folder, 'run/nobody.sock')
  for (const args of [
    ['get', 'a/b', '--reveal'],
    ['run', '-e', 'X=se://a/b', '--', 'true'],
    ['explain', 'a/b'],
  ]) {
    const { status, stdout, stderr } = await home.se(args, { env: { SE_SOCKET: nobody } })
    t.is(stdout.toString(), '', args[0])
    t.is(status, args[0] === 'run' ? 125 : 5, args[0])
    t.true(stderr.includes(nobody), stderr)
  }
  t.is(await home.ok(['get', 'a/b', '--reveal', '--no-daemon'], { env: { SE_SOCKET: nobody } }), 'hunter2')
})

onUnix('a daemon that hangs is an error that says what to do, and --no-daemon asks without it', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  await home.ok(['set', 'a/b'], { stdin: 'hunter2' })
  const folder = join(home.folder, 'run/se-native')
  mkdirSync(folder, { mode: 0o700 })
  const socket = await startHanging(t.teardown, join(folder, 'daemon.sock'))
  const { status, stderr, stdout } = await home.se(['get', 'a/b', '--reveal'])
  t.is(status, 5)
  t.is(stdout.toString(), '')
  t.is(
    stderr,
    `se: the daemon at ${socket} is there and does not answer\n` +
      'hint: end it with se daemon stop, or ask without it by --no-daemon\n',
  )
  t.is(await home.ok(['get', 'a/b', '--reveal', '--no-daemon']), 'hunter2')
})

onUnix('a daemon without a passphrase says how to give it, until lock', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  await home.ok(['store', 'use', 'file', '--passphrase'], { env: { SE_PASSPHRASE: 'open sesame' } })
  await home.ok(['set', 'a/b'], { stdin: 'hunter2', env: { SE_PASSPHRASE: 'open sesame' } })
  await startDaemon(t, { home })
  const doctor = async (): Promise<string> => {
    const text = (await home.se(['doctor'])).stdout.toString()
    return /^\S+ +daemon: .*; (.*(\n {6}.*)?)$/m.exec(text)?.[1] ?? text
  }
  const state = async (): Promise<unknown> => JSON.parse(await home.ok(['daemon', 'status', '--json'])).store.locked
  t.true(await state())
  t.regex(await home.ok(['daemon', 'status']), /^Store: +file, .*store\.age, locked: se unlock opens it$/m)
  t.regex(await doctor(), /^file .*store\.age, locked\n {6}se unlock opens it, for all programs$/)
  const locked = await home.se(['get', 'a/b', '--reveal'])
  t.is(locked.status, 4)
  t.regex(locked.stderr, /^se: .* is locked\nhint: .*se unlock\n$/)
  t.is((await home.se(['unlock'], { stdin: 'wrong\n' })).status, 4)
  t.is((await home.se(['unlock'])).status, 4)
  const unlocked = await home.se(['unlock'], { stdin: 'open sesame\nmore\n' })
  t.is(unlocked.status, 0, unlocked.stderr)
  t.regex(unlocked.stderr, /^The daemon has opened .*store\.age, for all programs, until se lock\.\n$/)
  t.false(await state())
  t.regex(await home.ok(['daemon', 'status']), /^Store: +file, .*store\.age, open$/m)
  t.regex(await doctor(), /^file .*store\.age, open$/)
  t.is(await home.ok(['get', 'a/b', '--reveal']), 'hunter2')
  t.is((await home.se(['lock'])).stderr, 'The daemon has forgotten its passphrase and all values.\n')
  t.true(await state())
  t.is((await home.se(['get', 'a/b'])).status, 4)
  const configured = await home.se(['unlock'], { env: { SE_PASSPHRASE: 'open sesame' } })
  t.is(configured.status, 0, configured.stderr)
  t.is(await home.ok(['get', 'a/b', '--reveal']), 'hunter2')
})

onUnix('unlock and lock without a daemon say that none runs, and nothing to unlock is told', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  for (const command of ['lock', 'unlock']) {
    const { status, stderr } = await home.se([command])
    t.is(status, 5, command)
    t.regex(stderr, /daemon\.sock.*\nhint: start one with: se daemon start\n$/)
  }
  await startDaemon(t, { home })
  t.regex((await home.se(['unlock'])).stderr, /^The key of .*store\.age has no passphrase: nothing is locked\.\n$/)
})

onUnix('doctor shows the daemon and its plugins, and completion names them', async (t) => {
  const { home, socket } = await start(t)
  const { checks } = JSON.parse((await home.se(['doctor', '--json'])).stdout.toString()) as {
    checks: { name: string; status: string; summary: string; facts: Record<string, unknown> }[]
  }
  const daemon = checks.find(({ name }) => name === 'daemon')
  t.is(daemon?.status, 'ok')
  t.is(daemon?.facts['address'], socket)
  t.is(daemon?.facts['runs'], true)
  t.regex(daemon?.summary ?? '', /^v\d+\.\d+\.\d+ at .*, process \d+, run by you or root; file .*store\.age, open$/)
  const plugins = checks.filter(({ name }) => name.startsWith('plugin ')).map(({ name }) => name)
  t.deepEqual(plugins, ['plugin docker-pass', 'plugin clock', 'plugin fails', 'plugin shared'])
  t.is(await home.ok(['__complete', '--', 'plugins', 'disable', 'c']), 'words\nclock\t\n')
})

onUnix('doctor without a daemon says that none runs', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  t.regex((await home.se(['doctor'])).stdout.toString(), /^ok {4}daemon: none at .*: each program asks by itself$/m)
})

const onLinux = process.platform === 'linux' ? test : test.skip
onLinux('no plugin that was started for a command is left to it', async (t) => {
  const { home } = await start(t)
  const list = [
    'run',
    '--no-daemon',
    '--',
    'sh',
    '-c',
    'echo "$A"; read -r ours </proc/$$/task/$$/children; echo "$ours"',
  ]
  t.is(await home.ok(list, { env: { A: 'se://clock/zero' } }), '0\n\n')
})
