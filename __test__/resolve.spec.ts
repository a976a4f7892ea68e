import { PassThrough } from 'node:stream'
import test from 'ava'
import {
  createEngine,
  definePlugin,
  keychain,
  type Plugin,
  PluginError,
  resolve,
  resolveAll,
  resolveEach,
  resolveEnv,
  Secret,
  SecretsError,
} from '../src/index.js'
import { Canary, createTestEngine, createTestStore } from '../src/testing/index.js'

function answering(name: string, pattern: string, id: string, value: string, createdAt?: Date): Plugin {
  return definePlugin({ name, version: 'v1.0.0', pattern, getSecrets: () => [{ id, value, createdAt }] })
}

function failing(name: string, pattern: string): Plugin {
  return definePlugin({ name, version: 'v1.0.0', pattern, getSecrets: () => Promise.reject(new Error('boom')) })
}

test('a reference resolves to its secret, and in short to its value', async (t) => {
  const { engine } = await createTestEngine({ 'team/db/password': 'välue' })
  const reference = 'se://team/db/password'
  const secret = await resolve(reference, { engine })
  t.is(secret.text(), 'välue')
  t.is(secret.plugin, 'docker-pass')
  t.is(await resolve(reference, { engine }).text(), 'välue')
  t.deepEqual(Buffer.from(await resolve(reference, { engine }).bytes()).toString(), 'välue')
  t.is(await resolve(reference, { engine }).use((bytes) => bytes.length), 6)
  const stream = new PassThrough()
  await resolve(reference, { engine }).writeTo(stream)
  t.is(String(stream.read()), 'välue')
})

test('the short forms dispose the secret, also when they fail', async (t) => {
  const made: Secret[] = []
  const plugin = definePlugin({
    name: 'p',
    version: 'v1.0.0',
    pattern: '**',
    getSecrets: () => {
      const secret = Secret.from('a', new Uint8Array([0xff]))
      made.push(secret)
      return [secret]
    },
  })
  const engine = await createEngine({ plugins: [plugin] })
  await t.throwsAsync(resolve('se://a', { engine }).text(), { code: 'SE_NOT_TEXT' })
  await resolve('se://a', { engine }).bytes()
  await t.throwsAsync(
    resolve('se://a', { engine }).use(() => Promise.reject(new Error('mine'))),
    { message: 'mine' },
  )
  t.deepEqual(
    made.map(({ disposed }) => disposed),
    [true, true, true],
  )
})

test('a pattern resolves where exactly one secret matches', async (t) => {
  const { engine } = await createTestEngine({ 'a/b': '1', 'c/d': '2', 'c/e': '3' })
  t.is(await resolve('se://a/*', { engine }).text(), '1')
  const error = (await t.throwsAsync(resolve('se://c/*', { engine }), { code: 'SE_NOT_UNIQUE' })) as SecretsError
  t.true(error instanceof PluginError)
  t.deepEqual(error.details['answers'], [
    { id: 'c/d', plugin: 'docker-pass' },
    { id: 'c/e', plugin: 'docker-pass' },
  ])
  t.true(error.message.includes('c/d (docker-pass), c/e (docker-pass)'))
})

test('what is not there is SE_NOT_FOUND, and the hint names the id that was meant', async (t) => {
  const { engine } = await createTestEngine({ 'team/db/password': 'x' })
  const near = (await t.throwsAsync(resolve('se://team/db/pasword', { engine }), {
    code: 'SE_NOT_FOUND',
  })) as SecretsError
  t.is(near.hint, 'did you mean se://team/db/password?')
  const far = (await t.throwsAsync(resolve('se://zebra', { engine }), { code: 'SE_NOT_FOUND' })) as SecretsError
  t.is(far.hint, 'store it with: se set zebra')
  t.deepEqual(far.details, { reference: 'se://zebra', plugins: ['docker-pass'], nearest: undefined })
})

test('where no plugin answers for a reference it is SE_NO_PLUGIN', async (t) => {
  const engine = await createEngine({ plugins: [answering('p', 'a/**', 'a', 'v')] })
  await t.throwsAsync(resolve('se://b', { engine }), { code: 'SE_NO_PLUGIN' })
  await engine.disablePlugin('p')
  const error = (await t.throwsAsync(resolve('se://a', { engine }), { code: 'SE_NO_PLUGIN' })) as SecretsError
  t.is(error.hint, 'p is disabled: se plugins enable p')
})

test('where others answer with nothing, the hint names what is disabled and might have answered', async (t) => {
  const plugins = [answering('p', 'a/**', 'a', 'v'), answering('q', 'b/**', 'b', 'v'), answering('r', '**', 'c', 'v')]
  const engine = await createEngine({ plugins })
  await engine.disablePlugin('p')
  await engine.disablePlugin('q')
  const error = (await t.throwsAsync(resolve('se://a', { engine }), { code: 'SE_NOT_FOUND' })) as SecretsError
  t.is(error.hint, 'p is disabled: se plugins enable p')
  t.deepEqual(error.details, { reference: 'se://a', plugins: ['r'], disabled: ['p'] })
})

test('a store that is locked, refuses or does not answer is never SE_NOT_FOUND', async (t) => {
  const { engine, faults } = await createTestEngine({ a: 'x' })
  for (const code of [
    'SE_LOCKED',
    'SE_ACCESS_DENIED',
    'SE_STORE_UNAVAILABLE',
    'SE_NO_COLLECTION',
    'SE_CORRUPT',
  ] as const) {
    faults.fail('getMany', code, 1)
    await t.throwsAsync(resolve('se://a', { engine }), { code })
  }
})

test('when several plugins have it, the policy decides', async (t) => {
  const { store } = await createTestStore({ a: 'built in' })
  const engine = await createEngine({
    plugins: [
      keychain({ store }),
      answering('old', '**', 'a', 'old', new Date(1)),
      answering('zz', '**', 'a', 'zz', new Date('2999-01-01')),
    ],
  })
  const error = (await t.throwsAsync(resolve('se://a', { engine }), { code: 'SE_NOT_UNIQUE' })) as SecretsError
  t.true(error.message.includes('docker-pass') && error.message.includes('old') && error.message.includes('zz'))
  t.is(await resolve('se://a', { engine, policy: 'first' }).text(), 'built in')
  t.is(await resolve('se://a', { engine, policy: 'newest' }).text(), 'zz')
  t.is(await resolve('se://a', { engine, plugin: 'old' }).text(), 'old')
  await t.throwsAsync(resolve('se://a', { engine, policy: 'latest' as never }), { code: 'SE_INVALID_OPTION' })
})

test('under unique, a plugin for just a part of the ids that failed refuses; one for all ids is told', async (t) => {
  const good = answering('good', '**', 'a/b', 'v')
  const narrow = await createEngine({ plugins: [good, failing('narrow', 'a/**')] })
  await t.throwsAsync(resolve('se://a/b', { engine: narrow }), { code: 'SE_PLUGIN_FAILURE' })
  t.is(await resolve('se://a/b', { engine: narrow, policy: 'first' }).text(), 'v')
  for (const pattern of ['**', '*/**', '**/*/**']) {
    const wide = await createEngine({ plugins: [good, failing('wide', pattern)] })
    const told: string[] = []
    const onFailure = (failure: SecretsError): void => void told.push(failure.code)
    t.is(await resolve('se://a/b', { engine: wide, onFailure }).text(), 'v')
    t.deepEqual(told, ['SE_PLUGIN_FAILURE'])
    await t.throwsAsync(resolve('se://a/b', { engine: wide, strict: true }), { code: 'SE_PLUGIN_FAILURE' })
  }
})

test('what does not follow the grammar is SE_INVALID_REFERENCE', async (t) => {
  const { engine } = await createTestEngine()
  for (const reference of [
    '',
    'a/b',
    'se:/a',
    'SE://a',
    'se://',
    'se://a ',
    'se://a//b',
    'se://a**',
    ' se://a',
    'se://a?x',
  ]) {
    await t.throwsAsync(resolve(reference, { engine }), { code: 'SE_INVALID_REFERENCE' }, reference)
    await t.throwsAsync(resolveAll(reference, { engine }), { code: 'SE_INVALID_REFERENCE' }, reference)
  }
})

test('resolveAll gives each secret once, in the order of the list, and nothing where nothing matches', async (t) => {
  const { engine } = await createTestEngine({ 'a/1': 'x', 'a/2': 'y', b: 'z' })
  const ids = async (references: string | string[]): Promise<string[]> =>
    (await resolveAll(references, { engine })).map(({ id }) => id)
  t.deepEqual(await ids('se://**'), ['a/1', 'a/2', 'b'])
  t.deepEqual(await ids(['se://b', 'se://a/*', 'se://**', 'se://b']), ['b', 'a/1', 'a/2'])
  t.deepEqual(await ids('se://nothing/*'), [])
  t.deepEqual(await ids([]), [])
})

test('resolveAll throws a failure where nothing was answered, and wipes what else there was', async (t) => {
  const good = Secret.from('b', 'v')
  const plugins = [
    failing('bad', 'a/**'),
    definePlugin({ name: 'good', version: 'v1.0.0', pattern: 'b', getSecrets: () => [good] }),
  ]
  const engine = await createEngine({ plugins })
  await t.throwsAsync(resolveAll(['se://b', 'se://a/*'], { engine }), { code: 'SE_PLUGIN_FAILURE' })
  t.true(good.disposed)
})

test('resolveEach fetches a repeated reference once, and tells for each why it has no secret', async (t) => {
  const { engine, faults } = await createTestEngine({ a: 'x', b: 'y' })
  const answers = await resolveEach(['se://a', 'se://b', 'se://a', 'se://no', 'nonsense', 'se://*'], { engine })
  t.deepEqual(faults.calls.filter((call) => call === 'getMany').length, 1)
  const codes = [...answers].map(([reference, answer]) => [
    reference,
    SecretsError.is(answer) ? answer.code : answer.text(),
  ])
  t.deepEqual(Object.fromEntries(codes), {
    'se://a': 'x',
    'se://b': 'y',
    'se://no': 'SE_NOT_FOUND',
    nonsense: 'SE_INVALID_REFERENCE',
    'se://*': 'SE_NOT_UNIQUE',
  })
})

test('secrets that a reference did not take are wiped', async (t) => {
  const made = ['a', 'b'].map((id) => Secret.from(id, 'v'))
  const plugin = definePlugin({ name: 'p', version: 'v1.0.0', pattern: '**', getSecrets: () => made })
  const engine = await createEngine({ plugins: [plugin] })
  await t.throwsAsync(resolve('se://*', { engine }), { code: 'SE_NOT_UNIQUE' })
  t.true(made.every(({ disposed }) => disposed))
})

test('resolveEnv replaces whole values that begin with se://, in one batch, and leaves the rest', async (t) => {
  const { engine, faults } = await createTestEngine({ 'db/user': 'app', 'db/password': 'secret' })
  const env = {
    USER: 'se://db/user',
    PASSWORD: 'se://db/password',
    AGAIN: 'se://db/password',
    URL: 'pg://x:se://db/password@h',
    UPPER: 'SE://db/user',
    EMPTY: '',
    GONE: undefined,
  }
  t.deepEqual(await resolveEnv(env, { engine }), {
    USER: 'app',
    PASSWORD: 'secret',
    AGAIN: 'secret',
    URL: 'pg://x:se://db/password@h',
    UPPER: 'SE://db/user',
    EMPTY: '',
  })
  t.deepEqual(faults.calls, ['getMany'])
  t.is(env.USER, 'se://db/user')
})

test('resolveEnv asks nobody when there is no reference', async (t) => {
  const { engine, faults } = await createTestEngine()
  t.deepEqual(await resolveEnv({ A: 'b' }, { engine }), { A: 'b' })
  t.deepEqual(faults.calls, [])
})

test('resolveEnv reports all problems at once, and no value', async (t) => {
  const canary = Canary.random()
  const { engine } = await createTestEngine({
    good: canary.text,
    nul: `${canary.text}\0`,
    binary: Buffer.concat([canary.bytes, Buffer.from([0xff])]),
  })
  const env = {
    GOOD: 'se://good',
    NO: 'se://no',
    NUL: 'se://nul',
    BINARY: 'se://binary',
    BAD: 'se://a b',
    MANY: 'se://*',
  }
  const error = (await t.throwsAsync(resolveEnv(env, { engine }), { code: 'SE_UNRESOLVED' })) as SecretsError
  const problems = error.details['problems'] as { name: string; reference: string; code: string }[]
  t.deepEqual(
    problems.map(({ name, reference, code }) => [name, reference, code]),
    [
      ['NO', 'se://no', 'SE_NOT_FOUND'],
      ['NUL', 'se://nul', 'SE_VALUE_HAS_NUL'],
      ['BINARY', 'se://binary', 'SE_NOT_TEXT'],
      ['BAD', 'se://a b', 'SE_INVALID_REFERENCE'],
      ['MANY', 'se://*', 'SE_NOT_UNIQUE'],
    ],
  )
  t.is(canary.foundIn(JSON.stringify(error)), undefined)
  t.is(canary.foundIn(String(error.stack)), undefined)
})

test('abort and a time limit end the waiting', async (t) => {
  const { engine, faults } = await createTestEngine({ a: 'x' })
  const release = faults.hold('getMany')
  const error = (await t.throwsAsync(resolve('se://a', { engine, timeoutMs: 1 }), {
    code: 'SE_TIMEOUT',
  })) as SecretsError
  t.deepEqual(error.details, { abandoned: 'asking docker-pass for a', timeoutMs: 1 })
  const controller = new AbortController()
  const work = resolve('se://a', { engine, signal: controller.signal }).text()
  controller.abort()
  await t.throwsAsync(work, { code: 'SE_ABORTED' })
  release()
  t.is(await resolve('se://a', { engine }).text(), 'x')
})

test('hints do not keep anybody waiting, however many there are', async (t) => {
  const { engine, faults } = await createTestEngine({ a: 'x' })
  const release = faults.hold('list')
  const answers = await resolveEach(['se://b', 'se://c', 'se://d', 'se://a'], { engine, timeoutMs: 200 })
  t.is(faults.calls.filter((call) => call === 'list').length, 3, 'all at the same time')
  for (const [reference, answer] of answers) {
    if (reference === 'se://a') continue
    t.true(SecretsError.is(answer) && answer.code === 'SE_NOT_FOUND' && answer.hint?.startsWith('store it with'))
  }
  release()
})
