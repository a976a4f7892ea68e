import test from 'ava'
import { createEngine, definePlugin, keychain, resolveEnv, Secret, type SecretsError } from '../../src/index.js'
import { createTestEngine, createTestStore } from '../../src/testing/index.js'

/** What is wrong, as name, code and message. */
async function problems(work: Promise<unknown>): Promise<[name: string | undefined, code: string, message: string][]> {
  const error = (await work.then(
    () => undefined,
    (error: unknown) => error,
  )) as SecretsError
  const listed = error.details['problems'] as { name?: string; code: string; message: string }[]
  return listed.map(({ name, code, message }) => [name, code, message])
}

async function codes(work: Promise<unknown>): Promise<string[]> {
  return (await problems(work)).map(([, code]) => code)
}

test('from adds a variable for each secret of a group, with all other references in one batch', async (t) => {
  const { engine, faults } = await createTestEngine({ 'app/db/user': 'u', 'app/key': 'k', other: 'o' })
  const env = { PLAIN: 'x', OTHER: 'se://other' }
  t.deepEqual(await resolveEnv(env, { engine, from: ['se://app/**', 'se://other'], prefix: 'A_' }), {
    PLAIN: 'x',
    OTHER: 'o',
    A_DB_USER: 'u',
    A_KEY: 'k',
    A_OTHER: 'o',
  })
  t.is(faults.calls.filter((call) => call === 'getMany').length, 1)
  t.deepEqual(await resolveEnv({}, { engine, from: 'se://app/**' }), { DB_USER: 'u', KEY: 'k' })
  t.deepEqual(await resolveEnv(env, { engine, from: [] }), { PLAIN: 'x', OTHER: 'o' })
})

test('names that cannot be are told together with other problems', async (t) => {
  const { engine } = await createTestEngine({
    'app/a/b': '1',
    'app/a-b': '2',
    'app/2fa': '3',
    'app/key_file': '4',
    'app/home': '5',
    'app/nul': 'a\0b',
  })
  const env = { HOME: '/home', GONE: 'se://gone' }
  t.deepEqual(await problems(resolveEnv(env, { engine, from: ['se://app/**', 'se://none/**', 'se://a b'] })), [
    ['GONE', 'SE_NOT_FOUND', 'no secret is found for se://gone'],
    [undefined, 'SE_NOT_FOUND', 'from: no secret is found for se://none/**'],
    [undefined, 'SE_INVALID_REFERENCE', 'from: not a reference: "se://a b" has " " at offset 6'],
    ['2FA', 'SE_INVALID_ENV', '2FA, for app/2fa, begins with a digit'],
    ['A_B', 'SE_INVALID_ENV', 'A_B is the name of several secrets: app/a-b, app/a/b'],
    ['HOME', 'SE_INVALID_ENV', 'HOME is set already (`env`), and app/home has the same name (from)'],
    [
      'KEY_FILE',
      'SE_UNSUPPORTED',
      'KEY_FILE, for app/key_file, means a file with the secret in it, and groups make none',
    ],
    ['NUL', 'SE_VALUE_HAS_NUL', 'the value for NUL holds a zero byte, which a variable cannot carry'],
  ])
})

test('override lets groups replace variables, whose references need not be there then', async (t) => {
  const { engine } = await createTestEngine({ 'app/a': '1', 'app/b': '2' })
  const env = { A: 'se://none', Z: 'z', B: 'b' }
  t.deepEqual(await resolveEnv(env, { engine, from: 'se://app/**', override: true }), { A: '1', Z: 'z', B: '2' })
  t.deepEqual(env, { A: 'se://none', Z: 'z', B: 'b' })
})

test('what is kept for the engine itself is in no group', async (t) => {
  const { engine } = await createTestEngine({ 'docker/secrets-engine/x': '1', 'docker/y': '2' })
  t.deepEqual(await resolveEnv({}, { engine, from: 'se://docker/**' }), { Y: '2' })
})

function answering(name: string, pattern: string, answers: () => { id: string; value: string }[]) {
  return definePlugin({ name, version: 'v1.0.0', pattern, getSecrets: answers })
}

const fails = (): never => {
  throw new Error('no')
}

test('a plugin that fails beside answers is told; strict, and one made for just these ids, refuse', async (t) => {
  const { store } = await createTestStore({ 'app/a': '1' })
  const all = await createEngine({ plugins: [keychain({ store }), answering('all', '**', fails)] })
  const failures: string[] = []
  const onFailure = (failure: SecretsError) => failures.push(failure.code)
  t.deepEqual(await resolveEnv({}, { engine: all, from: 'se://app/**', onFailure }), { A: '1' })
  t.deepEqual(failures, ['SE_PLUGIN_FAILURE'])
  t.deepEqual(await codes(resolveEnv({}, { engine: all, from: 'se://app/**', strict: true })), ['SE_PLUGIN_FAILURE'])
  t.deepEqual(await codes(resolveEnv({}, { engine: all, from: 'se://none/**' })), ['SE_PLUGIN_FAILURE'])
  const own = await createEngine({ plugins: [keychain({ store }), answering('own', 'app/**', fails)] })
  t.deepEqual(await codes(resolveEnv({}, { engine: own, from: 'se://app/**' })), ['SE_PLUGIN_FAILURE'])
  t.deepEqual(await resolveEnv({}, { engine: own, from: 'se://app/**', policy: 'first' }), { A: '1' })
})

test('of several plugins with an id the policy picks, and unique lists all ids that are not', async (t) => {
  const first = answering('one', '**', () => [
    { id: 'a', value: '1' },
    { id: 'b', value: '1' },
    { id: 'c', value: '1' },
  ])
  const second = answering('two', '**', () => [
    { id: 'a', value: '2' },
    { id: 'b', value: '2' },
  ])
  const engine = await createEngine({ plugins: [first, second] })
  t.deepEqual(await problems(resolveEnv({}, { engine, from: 'se://**' })), [
    [undefined, 'SE_NOT_UNIQUE', 'from: se://a has 2 answers: a (one), a (two)'],
    [undefined, 'SE_NOT_UNIQUE', 'from: se://b has 2 answers: b (one), b (two)'],
  ])
  t.deepEqual(await resolveEnv({}, { engine, from: 'se://**', policy: 'first' }), { A: '1', B: '1', C: '1' })
})

test('every secret of a group is wiped in the end, also after a problem', async (t) => {
  const made: Secret[] = []
  const plugin = definePlugin({
    name: 'p',
    version: 'v1.0.0',
    pattern: '**',
    getSecrets: () =>
      ['x/a', 'x/b'].map((id) => {
        const secret = Secret.from(id, 'v')
        made.push(secret)
        return secret
      }),
  })
  const engine = await createEngine({ plugins: [plugin] })
  await resolveEnv({}, { engine, from: 'se://x/*' })
  await t.throwsAsync(resolveEnv({ A: 'v' }, { engine, from: 'se://x/*' }))
  t.is(made.length, 4)
  t.true(made.every(({ disposed }) => disposed))
})

test('wrong options are refused, and not repeated', async (t) => {
  const { engine } = await createTestEngine()
  for (const options of [
    { from: 5 },
    { from: [5] },
    { from: 'se://a', prefix: '1hunter2' },
    { prefix: 5 },
    { form: 'se://a' },
  ]) {
    const error = await t.throwsAsync(resolveEnv({}, { engine, ...options } as never), { code: 'SE_INVALID_OPTION' })
    t.false(error?.message.includes('hunter2'))
  }
})
