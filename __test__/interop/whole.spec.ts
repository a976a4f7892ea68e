// Everything at once: a keychain, a plugin in TypeScript and one of Docker's Go module behind one daemon, asked by curl, by
// Docker's Go client, by `se explain` and by the library. One is disabled, and all of them see it.
import { execFile } from 'node:child_process'
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import anyTest, { type ExecutionContext } from 'ava'
import { GET_SECRETS, type JsonEnvelope } from '../helpers/ask.js'
import { type Daemon, startDaemon } from '../helpers/daemon.js'
import { buildGoFirst, goClient, goMissing, LineProgram, startGo, writeSecrets } from '../helpers/go.js'
import { keyringMissing, startKeyring } from '../helpers/keyring.js'
import { checkBundle, createHome } from '../helpers/se.js'

const missing = goMissing() ?? keyringMissing()
const test = missing === undefined ? anyTest.serial : anyTest.serial.skip
const run = promisify(execFile)
const root = fileURLToPath(new URL('../..', import.meta.url))

anyTest.before(() => checkBundle())
buildGoFirst(anyTest)

const PLUGIN = `
import { definePlugin, runPlugin } from 'se-native'
await runPlugin(definePlugin({
  name: 'script',
  version: 'v1.0.0',
  pattern: 'app/script/**',
  getSecrets: () => [{ id: 'app/script/token', value: 'from TypeScript' }],
}))
`
const LIBRARY = `
import { resolveAll } from 'se-native'
const secrets = await resolveAll('se://app/**')
console.log(JSON.stringify(secrets.map((secret) => [secret.plugin, secret.id, secret.text()])))
`

type Row = [plugin: string, id: string, value: string]

const KEYCHAIN: Row = ['docker-pass', 'app/keychain/token', 'from the keychain']
const GO: Row = ['golang', 'app/go/token', 'from Go']
const SCRIPT: Row = ['script', 'app/script/token', 'from TypeScript']

/** What each way of asking for `app/**` gives. */
async function everywhere(daemon: Daemon, program: string): Promise<Record<string, Row[]>> {
  const { home, socket } = daemon
  const curl = ['-sS', '--unix-socket', socket, `http://unix${GET_SECRETS}`, '-H', 'Content-Type: application/json']
  const { stdout } = await run('curl', [...curl, '-d', '{"pattern":"app/**"}'])
  const { envelopes: byGo = [] } = await goClient(['-socket', socket, 'get', 'app/**'])
  const rows = (envelopes: readonly { provider: string; id: string; value?: string | null }[]): Row[] =>
    envelopes.map(({ provider, id, value }) => [provider, id, Buffer.from(value ?? '', 'base64').toString()])
  const explained = JSON.parse(await home.ok(['explain', 'se://app/**', '--json'])) as {
    secrets: { plugin: string; id: string }[]
  }
  const library = await run(process.execPath, [program], { env: home.env, cwd: join(home.folder, 'work') })
  return {
    curl: rows((JSON.parse(stdout) as { envelopes: JsonEnvelope[] }).envelopes),
    'the Go client': rows(byGo),
    'se explain': explained.secrets.map(({ plugin, id }) => [plugin, id, valueOf(id)]),
    resolveAll: JSON.parse(library.stdout) as Row[],
  }
}

/** `se explain` shows no value. */
function valueOf(id: string): string {
  return [KEYCHAIN, GO, SCRIPT].find(([, known]) => known === id)?.[2] ?? ''
}

function same(t: ExecutionContext, answers: Record<string, Row[]>, expected: readonly Row[]): void {
  for (const [who, rows] of Object.entries(answers)) t.deepEqual(rows, [...expected], who)
}

test('a pattern is answered by keychain, TypeScript and Go alike for everybody who asks, and disabling one shows everywhere', async (t) => {
  await using keyring = await startKeyring()
  const home = createHome((fn) => t.teardown(fn))
  const bus = { DBUS_SESSION_BUS_ADDRESS: keyring.env['DBUS_SESSION_BUS_ADDRESS'] }
  Object.assign(home.env, bus)
  await home.ok(['store', 'use', 'keychain'])
  await home.ok(['set', KEYCHAIN[1]], { stdin: KEYCHAIN[2] })
  const daemon = await startDaemon(t, { home })

  const work = join(home.folder, 'work')
  mkdirSync(join(work, 'node_modules'))
  symlinkSync(root, join(work, 'node_modules/se-native'))
  const [plugin, program] = [join(work, 'plugin.mjs'), join(work, 'program.mjs')]
  writeFileSync(plugin, PLUGIN)
  writeFileSync(program, LIBRARY)

  const script = new LineProgram(process.execPath, [plugin], home.env)
  t.teardown(() => script.stop())
  const file = writeSecrets(home.folder, [{ id: GO[1], value: Buffer.from(GO[2]) }])
  const flags = ['-socket', daemon.socket, '-name', 'golang', '-pattern', 'app/go/**', '-secrets', file]
  const go = await startGo('plugin', flags, (fn) => t.teardown(fn))
  await go.line(/^registered$/)
  await daemon.logged(({ message, plugin: name }) => name === 'script' && message === 'a plugin connected')

  same(t, await everywhere(daemon, program), [KEYCHAIN, GO, SCRIPT])

  await home.ok(['plugins', 'disable', 'golang'])
  same(t, await everywhere(daemon, program), [KEYCHAIN, SCRIPT])
  const { plugins = [] } = await goClient(['-socket', daemon.socket, 'list'])
  t.is(plugins.find(({ name }) => name === 'golang')?.disabled, true)
  const { plugins: asked } = JSON.parse(await home.ok(['explain', 'se://app/**', '--json'])) as {
    plugins: { plugin: string; status: string }[]
  }
  t.is(asked.find(({ plugin: name }) => name === 'golang')?.status, 'not asked: disabled')

  await goClient(['-socket', daemon.socket, 'enable', 'golang'])
  same(t, await everywhere(daemon, program), [KEYCHAIN, GO, SCRIPT])
})
