import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { describeOrigin, readConfig } from '../../src/config/config.js'
import { SecretsError } from '../../src/errors/secrets-error.js'

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
  const key = fc.constantFrom('store', 'store_path', 'identity', 'passphrase_file', 'timeout_ms', 'x', '[a]', '"a b"')
  const value = fc.oneof(fc.constantFrom('"file"', '1', 'true', '[]', '{a=1}', "'''", '1979-05-27', '#'), fc.string())
  const line = fc.oneof(
    fc.tuple(key, value).map(([k, v]) => `${k} = ${v}`),
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
