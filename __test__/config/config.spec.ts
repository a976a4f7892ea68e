import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { describeOrigin, readConfig } from '../../src/config/config.js'
import { SecretsError } from '../../src/errors/secrets-error.js'
import { asRoot, FOREIGN_UID } from '../helpers/foreign.js'

/** An environment of its own, with this text in config.toml. */
function place(t: ExecutionContext, toml?: string, env: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const folder = mkdtempSync(join(tmpdir(), 'se-config-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  if (toml !== undefined) {
    mkdirSync(join(folder, 'config/se-native'), { recursive: true })
    writeFileSync(join(folder, 'config/se-native/config.toml'), toml)
  }
  return { HOME: folder, XDG_CONFIG_HOME: join(folder, 'config'), XDG_DATA_HOME: join(folder, 'data'), ...env }
}

test('without a file and variables, no store is chosen and paths are the defaults', async (t) => {
  const env = place(t)
  const config = await readConfig(env)
  t.false(config.fileExists)
  t.is(config.store, undefined)
  t.deepEqual(config.storePath, {
    value: join(env['XDG_DATA_HOME'] ?? '', 'se-native/store.age'),
    origin: { from: 'default' },
  })
})

test('a variable wins over the file, and each setting says where it came from', async (t) => {
  const env = place(t, 'store = "file"\nstore_path = "~/s.age"\ntimeout_ms = 500\n', { SE_STORE: 'keychain' })
  const config = await readConfig(env)
  t.is(config.store?.value, 'keychain')
  t.is(describeOrigin(config.store?.origin ?? { from: 'default' }), 'SE_STORE')
  t.is(config.storePath.value, join(env['HOME'] ?? '', 's.age'))
  t.is(describeOrigin(config.storePath.origin), `store_path in ${config.file}`)
  t.is(config.timeoutMs?.value, 500)
})

test('the identity of a configured store is beside it', async (t) => {
  const config = await readConfig(place(t, undefined, { SE_STORE_PATH: '/a/b/store.age' }))
  t.is(config.identity.value, '/a/b/identity.age')
})

test('an empty variable counts as unset', async (t) => {
  const config = await readConfig(place(t, 'store = "file"', { SE_STORE: '' }))
  t.is(config.store?.value, 'file')
})

test('a relative path in the file begins at the folder of the file', async (t) => {
  const env = place(t, 'identity = "keys/me.age"')
  t.is((await readConfig(env)).identity.value, join(env['XDG_CONFIG_HOME'] ?? '', 'se-native/keys/me.age'))
})

test('SE_CONFIG names another file', async (t) => {
  const env = place(t, 'store = "file"', { SE_CONFIG: '/nowhere/else.toml' })
  const config = await readConfig(env)
  t.is(config.file, '/nowhere/else.toml')
  t.false(config.fileExists)
  t.is(config.store, undefined)
})

for (const [title, toml, message, hint] of [
  ['an unknown key', 'stor = "file"', /unknown key stor in .*config\.toml$/, 'did you mean store?'],
  ['an unknown key near none', 'wibble = 1', /unknown key wibble/, /^the keys are store, store_path, /],
  ['a passphrase', 'passphrase = "hunter2"', /never kept there/, /passphrase_file/],
  ['a store that does not exist', 'store = "keychian"', /names no store$/, 'did you mean keychain?'],
  ['a store of the wrong type', 'store = 3', /names no store$/, 'write keychain or file'],
  ['a path of the wrong type', 'store_path = ["hunter2"]', /is not a path$/, /in quotes/],
  ['a limit that is no number', 'timeout_ms = "hunter2"', /whole number of milliseconds$/, /from 1 to/],
  ['a limit of zero', 'timeout_ms = 0', /whole number of milliseconds$/, /from 1 to/],
  ['a plugin that is no table', 'plugins.x = "hunter2"', /plugins\.x in .* is not a table$/, 'write [plugins.x]'],
  ['plugins that are none', 'plugins = "hunter2"', /plugins in .* is not a table$/, 'write [plugins.NAME]'],
  ['a plugin without a command', '[plugins.x]', /plugins\.x in .* has no command$/, /^command = /],
  ['a plugin with a wrong name', '[plugins."hunter2 "]', /a plugin in .* has a name that is none$/, /^a name is/],
  ['a plugin named as ours', '[plugins.docker-pass]\ncommand = "/x"', /has the name of the built-in/, 'choose another'],
  ['an unknown key of a plugin', '[plugins.x]\ncomand = "/x"', /unknown key comand in plugins\.x/, /mean command\?$/],
  ['an empty command', '[plugins.x]\ncommand = [""]', /plugins\.x\.command in .* is not a program, or/, /^write/],
  ['a wrong pattern', '[plugins.x]\ncommand = "/x"\npattern = "hunter2/**x"', /plugins\.x\.pattern in/, /a pattern/],
  ['a wrong protocol', '[plugins.x]\ncommand = "/x"\nprotocol = "line"', /not session or lines$/, /^write session or/],
  ['a plugin’s limit of zero', '[plugins.x]\ncommand = "/x"\ntimeout_ms = 0', /plugins\.x\.timeout_ms/, /milliseconds/],
  ['a variable of another type', '[plugins.x]\ncommand = "/x"\nenv.A = 3', /plugins\.x\.env in/, /a table of/],
  ['a passphrase for a plugin', '[plugins.x]\ncommand = "/x"\nenv.SE_PASSPHRASE = "hunter2"', /x\.env in/, /a table/],
  ['a daemon that is no table', 'daemon = 1', /daemon in .* is not a table$/, 'write [daemon]'],
  ['an unknown key of the daemon', '[daemon]\nadresses = []', /unknown key adresses in daemon/, /mean addresses\?$/],
  ['a user that is none', '[daemon]\nallowed_uids = [-1]', /daemon\.allowed_uids in/, /a list of numbers/],
  ['a date in the place of a table', 'daemon = 1979-05-27', /daemon in .* is not a table$/, 'write [daemon]'],
  ['bad TOML', 'store = "file"\nidentity = hunter2', /not valid TOML at line 2, column \d+$/, /mend it/],
] as const) {
  test(`config.toml with ${title} is SE_INVALID_CONFIG, quoting no value`, async (t) => {
    const error = await t.throwsAsync(readConfig(place(t, toml)))
    if (!SecretsError.is(error)) return t.fail()
    t.is(error.code, 'SE_INVALID_CONFIG')
    t.regex(error.message, message)
    if (typeof hint === 'string') t.is(error.hint, hint)
    else t.regex(error.hint ?? '', hint)
    t.false(JSON.stringify(error).includes('hunter2'))
  })
}

test('plugins and the daemon are configured in tables', async (t) => {
  const env = place(
    t,
    `timeout_ms = 500
[plugins.vault]
command = ["~/bin/vault", "--fast"]
args = ["-x"]
env = { VAULT_ADDR = "https://vault" }
pattern = "vault/**"
timeout_ms = 2000
cache_ttl_ms = 60000
[plugins.rel]
command = "./rel.sh"
protocol = "lines"
[plugins.path]
command = ["node", "/x.mjs"]
[daemon]
addresses = ["@one", "run/d.sock"]
allowed_uids = [1000]
idle_exit_seconds = 60
priority = ["vault"]`,
  )
  const { plugins, daemon, timeoutMs } = await readConfig(env)
  const folder = join(env['XDG_CONFIG_HOME'] ?? '', 'se-native')
  t.is(timeoutMs?.value, 500)
  t.deepEqual(plugins[0], {
    name: 'vault',
    command: [join(env['HOME'] ?? '', 'bin/vault'), '--fast', '-x'],
    env: { VAULT_ADDR: 'https://vault' },
    pattern: 'vault/**',
    protocol: 'session',
    timeoutMs: 2000,
    cacheTtlMs: 60000,
  })
  t.like(plugins[1], { command: [join(folder, 'rel.sh')], protocol: 'lines', pattern: undefined, env: {} })
  t.deepEqual(plugins[2]?.command, ['node', '/x.mjs'])
  t.deepEqual(daemon, {
    addresses: ['@one', join(folder, 'run/d.sock')],
    allowedUids: [1000],
    idleExitSeconds: 60,
    priority: ['vault'],
  })
})

test('without tables there are no plugins, and the daemon is as it is by default', async (t) => {
  const { plugins, daemon } = await readConfig(place(t, 'store = "file"'))
  t.deepEqual(plugins, [])
  t.deepEqual(daemon, { addresses: undefined, allowedUids: [], idleExitSeconds: undefined, priority: [] })
})

test('a variable with a wrong value is SE_INVALID_CONFIG and names the variable', async (t) => {
  const error = await t.throwsAsync(readConfig(place(t, undefined, { SE_STORE: 'flie' })))
  t.like(error, { code: 'SE_INVALID_CONFIG', message: 'SE_STORE names no store', hint: 'did you mean file?' })
  const limit = await t.throwsAsync(readConfig(place(t, undefined, { SE_TIMEOUT_MS: '1e3' })))
  t.like(limit, { code: 'SE_INVALID_CONFIG', message: 'SE_TIMEOUT_MS is not a whole number of milliseconds' })
})

test('a folder in the place of config.toml is SE_INVALID_CONFIG', async (t) => {
  const env = place(t)
  const error = await t.throwsAsync(readConfig({ ...env, SE_CONFIG: env['HOME'] ?? '' }))
  t.like(error, { code: 'SE_INVALID_CONFIG' })
  t.regex(error?.message ?? '', /cannot be read \(EISDIR\)/)
})

test('any text in config.toml is understood or SE_INVALID_CONFIG', async (t) => {
  const key = fc.constantFrom(
    'store',
    'store_path',
    'identity',
    'passphrase_file',
    'timeout_ms',
    'x',
    '[a]',
    '"a b"',
    'plugins.a',
    'daemon',
  )
  const value = fc.oneof(fc.constantFrom('"file"', '1', 'true', '[]', '{a=1}', "'''", '1979-05-27', '#'), fc.string())
  const line = fc.oneof(
    fc.tuple(key, value).map(([k, v]) => `${k} = ${v}`),
    fc.constantFrom('[plugins.a]', '[daemon]', 'command = "/x"', 'addresses = ["a"]', 'env.A = "b"'),
    fc.string({ unit: 'binary' }),
  )
  const env = place(t, '')
  const file = join(env['XDG_CONFIG_HOME'] ?? '', 'se-native/config.toml')
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 6 }), async (lines) => {
      writeFileSync(file, lines.join('\n'))
      try {
        await readConfig(env)
      } catch (error) {
        if (!SecretsError.is(error) || error.code !== 'SE_INVALID_CONFIG') throw error
      }
    }),
    { numRuns: 300 },
  )
  t.pass()
})

if (process.platform !== 'win32') {
  const PLUGIN = '[plugins.vault]\ncommand = "/bin/vault"\n'

  for (const mode of [0o664, 0o646, 0o620, 0o602]) {
    test(`a file with mode ${mode.toString(8)} names no plugins and no users: others can write it`, async (t) => {
      for (const table of [PLUGIN, '[daemon]\nallowed_uids = [1000]\n']) {
        const env = place(t, table)
        const file = join(env['XDG_CONFIG_HOME'] ?? '', 'se-native/config.toml')
        chmodSync(file, mode)
        const error = await t.throwsAsync(readConfig(env), { instanceOf: SecretsError })
        t.is(error.code, 'SE_LAX_MODE')
        t.is(
          error.message,
          `${file} says which programs run and who may ask, and others can write to it (mode 0${mode.toString(8)})`,
        )
        t.is(error.hint, `see what it holds; then: chmod go-w ${file}`)
        chmodSync(file, mode & 0o755)
        await t.notThrowsAsync(readConfig(env))
      }
    })
  }

  test('a file that others can write may still choose a store', async (t) => {
    const env = place(t, 'store = "file"\n')
    chmodSync(join(env['XDG_CONFIG_HOME'] ?? '', 'se-native/config.toml'), 0o666)
    t.is((await readConfig(env)).store?.value, 'file')
  })

  const root = asRoot()
  const testAsRoot = root === undefined ? test.skip : test
  testAsRoot('a file of another user names no plugins, and one of root does', async (t) => {
    const env = place(t, PLUGIN)
    const file = join(env['XDG_CONFIG_HOME'] ?? '', 'se-native/config.toml')
    const give = (uid: number) => {
      const [program = '', ...args] = [...(root ?? []), 'chown', `${uid}`, file]
      t.is(spawnSync(program, args).status, 0)
    }
    give(FOREIGN_UID)
    const error = await t.throwsAsync(readConfig(env), { code: 'SE_LAX_MODE' })
    t.true(error.message.endsWith(`belongs to the user ${FOREIGN_UID}`))
    give(0)
    t.is((await readConfig(env)).plugins[0]?.name, 'vault')
  })
}
