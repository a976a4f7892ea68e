import { inspect } from 'node:util'
import test from 'ava'
import {
  type Answer,
  createEngine,
  definePlugin,
  type Engine,
  keychain,
  type Plugin,
  type PluginContext,
  type PluginDefinition,
  PluginError,
  Secret,
  SecretsError,
  StoreError,
} from '../src/index.js'
import { Canary, createTestEngine, createTestStore } from '../src/testing/index.js'

function plugin(name: string, pattern: string, answers: Answer[], more: Partial<PluginDefinition> = {}): Plugin {
  const getSecrets: PluginDefinition['getSecrets'] = (asked) => answers.filter(({ id }) => asked.matches(id))
  return definePlugin({ name, version: 'v1.0.0', pattern, getSecrets, ...more })
}

const failing = (name: string, pattern: string, error: unknown): Plugin =>
  plugin(name, pattern, [], {
    getSecrets: () => {
      throw error
    },
  })

const names = async (engine: Engine): Promise<string[]> => (await engine.listPlugins()).map(({ name }) => name)
const shown = (secrets: readonly Secret[]): string[] => secrets.map(({ id, plugin: by }) => `${id} ${by}`)

test('answers come in order of priority: as told, then built in, then by name; and then of id', async (t) => {
  const { store } = await createTestStore({ 'a/2': 'x', 'a/1': 'x' })
  const plugins = [
    plugin('zoo', 'a/**', [{ id: 'a/1', value: 'z' }]),
    plugin('ant', '**', [
      { id: 'a/10', value: 'a' },
      { id: 'a/1', value: 'a' },
    ]),
    keychain({ store }),
    plugin('bee', 'a/*', [{ id: 'a/1', value: 'b' }]),
  ]
  const engine = await createEngine({ plugins })
  t.deepEqual(await names(engine), ['docker-pass', 'ant', 'bee', 'zoo'])
  t.deepEqual(shown(await engine.getSecrets('a/*')), [
    'a/1 docker-pass',
    'a/2 docker-pass',
    'a/1 ant',
    'a/10 ant',
    'a/1 bee',
    'a/1 zoo',
  ])
  t.deepEqual(await names(await createEngine({ plugins, priority: ['zoo', 'bee'] })), [
    'zoo',
    'bee',
    'docker-pass',
    'ant',
  ])
})

test('a plugin is asked when its pattern overlaps, though neither includes the other', async (t) => {
  const engine = await createEngine({
    plugins: [
      plugin('one', 'x/*/leaf', [{ id: 'x/y/leaf', value: 'v' }]),
      plugin('two', 'y/**', [{ id: 'y', value: 'v' }]),
    ],
  })
  t.deepEqual(shown(await engine.getSecrets('x/y/**')), ['x/y/leaf one'])
  const { outcomes } = await engine.explain('x/y/**')
  t.deepEqual(
    outcomes.map(({ status }) => status),
    ['answered', 'not asked: no overlap'],
  )
})

test('all plugins are asked at once', async (t) => {
  const begun: string[] = []
  let all: () => void = () => undefined
  const everyone = new Promise<void>((resolve) => {
    all = resolve
  })
  const waiting = (name: string): Plugin =>
    plugin(name, '**', [], {
      getSecrets: async () => {
        begun.push(name)
        if (begun.length === 3) all()
        await everyone
        return [{ id: name, value: name }]
      },
    })
  const engine = await createEngine({ plugins: ['a', 'b', 'c'].map(waiting) })
  t.deepEqual(shown(await engine.getSecrets('**')), ['a a', 'b b', 'c c'])
})

test('answers outside of what was asked, or of the plugin’s own pattern, are dropped and reported', async (t) => {
  const answers = ['own/asked', 'own/other', 'foreign/asked', 'not an id', 'own/asked/**'].map((id) => ({
    id,
    value: 'v',
  }))
  const engine = await createEngine({ plugins: [plugin('p', 'own/**', [], { getSecrets: () => answers })] })
  t.deepEqual(shown(await engine.getSecrets('*/asked')), ['own/asked p'])
  const [outcome] = (await engine.explain('*/asked')).outcomes
  t.deepEqual(outcome?.ids, ['own/asked'])
  t.deepEqual(outcome?.dropped, ['foreign/asked', 'not an id', 'own/asked/**', 'own/other'])
})

test('of what is dropped the beginnings of a hundred ids are kept: they may be anything', async (t) => {
  const answers = Array.from({ length: 150 }, (_, number) => ({ id: `${number}`.padStart(10_000, '!'), value: 'v' }))
  const engine = await createEngine({ plugins: [plugin('p', '**', [], { getSecrets: () => answers })] })
  const [outcome] = (await engine.explain('a')).outcomes
  t.deepEqual(outcome?.dropped, Array<string>(100).fill(`${'!'.repeat(200)}…`))
})

test('a plugin that answers with one secret twice fails by itself, and others are answered', async (t) => {
  const kept = Secret.from('a', 'v')
  const plugins = [plugin('p', '**', [], { getSecrets: () => [kept] }), plugin('q', '**', [{ id: 'a', value: 'v' }])]
  const engine = await createEngine({ plugins })
  for (const secret of await engine.getSecrets('a')) secret.dispose()
  const failures: SecretsError[] = []
  const [secret, ...others] = await engine.getSecrets('a', { onFailure: (failure) => failures.push(failure) })
  t.is(secret?.text(), 'v')
  t.deepEqual(others, [])
  t.deepEqual(
    failures.map(({ code, message }) => [code, message]),
    [['SE_PLUGIN_FAILURE', 'p: it answers with a secret for a that was disposed before']],
  )
})

test('the realm of the engine itself is never handed out, and not reported', async (t) => {
  const { engine } = await createTestEngine({ 'docker/secrets-engine/plugins/key': 'x', 'docker/secrets-enginex': 'y' })
  t.deepEqual(shown(await engine.getSecrets('**')), ['docker/secrets-enginex docker-pass'])
  t.deepEqual(await engine.getSecrets('docker/secrets-engine/plugins/key'), [])
  t.is(await engine.suggest('docker/secrets-engine/plugins/kez'), undefined)
  const [outcome] = (await engine.explain('docker/secrets-engine/**')).outcomes
  t.like(outcome, { status: 'nothing', ids: [], dropped: [] })
})

test('a plugin that fails hides no other’s answer: the failure is told beside it', async (t) => {
  const plugins = [failing('bad', '**', new Error('boom')), plugin('good', '**', [{ id: 'a', value: 'v' }])]
  const engine = await createEngine({ plugins })
  const told: SecretsError[] = []
  t.deepEqual(shown(await engine.getSecrets('a', { onFailure: (failure) => told.push(failure) })), ['a good'])
  t.deepEqual(
    told.map(({ code, details }) => [code, details]),
    [['SE_PLUGIN_FAILURE', { plugin: 'bad' }]],
  )
  await t.throwsAsync(engine.getSecrets('a', { strict: true }), { code: 'SE_PLUGIN_FAILURE' })
})

test('no answer and a failure is that failure, never an empty list', async (t) => {
  const { engine, faults } = await createTestEngine()
  faults.fail('getMany', 'SE_LOCKED')
  const error = (await t.throwsAsync(engine.getSecrets('**'), { code: 'SE_LOCKED' })) as SecretsError
  t.is(error.details['plugin'], 'docker-pass')
  t.is(error.message, 'the test makes getMany fail', 'people need not know the name of the built-in plugin')
  t.true(SecretsError.is(error.cause))
})

test('the error of a plugin is the cause, and its text is not quoted', async (t) => {
  const canary = Canary.random()
  const thrown = Object.assign(new Error(`no ${canary.text}`), { code: 'ECONNREFUSED' })
  const engine = await createEngine({ plugins: [failing('bad', '**', thrown)] })
  const error = (await t.throwsAsync(engine.getSecrets('a'), { code: 'SE_PLUGIN_FAILURE' })) as SecretsError
  t.is(error.message, 'the plugin bad failed (ECONNREFUSED)')
  t.is(error.cause, thrown)
  t.is(canary.foundIn(JSON.stringify(error)), undefined)
})

test('whatever a plugin throws or returns, the caller gets SE_PLUGIN_FAILURE', async (t) => {
  const bad: PluginDefinition['getSecrets'][] = [
    () => Promise.reject(undefined),
    () => Promise.reject('text'),
    () => undefined as never,
    () => [null as never],
    () => [{ id: 'a', value: 7 as never }],
    () => [{ value: 'x' } as never],
  ]
  for (const getSecrets of bad) {
    const engine = await createEngine({ plugins: [plugin('bad', '**', [], { getSecrets })] })
    await t.throwsAsync(engine.getSecrets('a'), { code: 'SE_PLUGIN_FAILURE', instanceOf: PluginError })
  }
})

test('a plugin that takes longer than its limit fails with SE_TIMEOUT, is told so, and its late answer is wiped', async (t) => {
  const late = Secret.from('a', 'late')
  let context: PluginContext | undefined
  let release: (answers: Secret[]) => void = () => undefined
  const slow = plugin('slow', '**', [], {
    timeoutMs: 1,
    getSecrets: (_, given) => {
      context = given
      return new Promise((resolve) => {
        release = resolve
      })
    },
  })
  const engine = await createEngine({ plugins: [slow, plugin('quick', '**', [{ id: 'a', value: 'v' }])] })
  const told: string[] = []
  const secrets = await engine.getSecrets('a', { onFailure: ({ code }) => told.push(code) })
  t.deepEqual(shown(secrets), ['a quick'])
  t.deepEqual(told, ['SE_TIMEOUT'])
  t.true(context?.signal.aborted)
  release([late])
  await new Promise(setImmediate)
  t.true(late.disposed)
})

test('when the caller stops waiting, plugins are told, and answers that were there are wiped', async (t) => {
  const early = Secret.from('a', 'early')
  let context: PluginContext | undefined
  const stuck = plugin('stuck', '**', [], {
    getSecrets: (_, given) => {
      context = given
      return new Promise(() => undefined)
    },
  })
  const engine = await createEngine({ plugins: [stuck, plugin('early', '**', [early])] })
  const controller = new AbortController()
  const asking = engine.getSecrets('a', { signal: controller.signal })
  await new Promise(setImmediate)
  controller.abort()
  const error = (await t.throwsAsync(asking, { code: 'SE_ABORTED' })) as SecretsError
  t.deepEqual(error.details, { abandoned: 'asking early, stuck for a', begun: true })
  t.true(context?.signal.aborted)
  await new Promise(setImmediate)
  t.true(early.disposed)
})

test('a plugin is told who asks', async (t) => {
  let context: PluginContext | undefined
  const curious = plugin('curious', '**', [], {
    getSecrets: (_, given) => {
      context = given
      return []
    },
  })
  const engine = await createEngine({ plugins: [curious] })
  await engine.getSecrets('a')
  t.is(context?.requester.pid, process.pid)
  const requester = { pid: 1, name: 'init', path: '/sbin/init' }
  await engine.getSecrets('a', { requester })
  t.deepEqual(context?.requester, requester)
})

test('many patterns are one batch for each plugin, and repeated ones are asked for once', async (t) => {
  const batches: string[][] = []
  const many = plugin('many', '**', [], {
    getMany: (patterns) => {
      batches.push(patterns.map(({ text }) => text))
      return [
        { id: 'a', value: '1' },
        { id: 'b', value: '2' },
      ]
    },
  })
  const asked: string[] = []
  const one = plugin('one', 'b', [], {
    getSecrets: (pattern) => {
      asked.push(pattern.text)
      return [{ id: 'b', value: '3' }]
    },
  })
  const engine = await createEngine({ plugins: [many, one] })
  const results = await engine.getBatch(['a', 'b', 'a', '*'])
  t.deepEqual(batches, [['a', 'b', '*']])
  t.deepEqual(asked, ['b', '*'])
  t.deepEqual(
    results.map(({ pattern, secrets }) => [pattern, shown(secrets)]),
    [
      ['a', ['a many']],
      ['b', ['b many', 'b one']],
      ['a', ['a many']],
      ['*', ['a many', 'b many', 'b one']],
    ],
  )
  t.is(results[0]?.secrets[0], results[3]?.secrets[0])
  t.is(results[1]?.secrets[1], results[3]?.secrets[2], 'though it came twice')
})

test('the built-in plugin reads a list of ids in one go', async (t) => {
  const { engine, faults } = await createTestEngine({ a: '1', b: '2', c: '3' })
  await engine.getBatch(['a', 'b', 'missing', 'c'])
  t.deepEqual(faults.calls, ['getMany'])
})

test('the built-in plugin reads ids and several patterns in one go too, after one listing', async (t) => {
  const { engine, faults } = await createTestEngine({ 'a/x': '1', 'b/x': '2', 'b/y': '3', c: '4' })
  const results = await engine.getBatch(['a/x', 'c', 'b/*', '*/x'])
  t.deepEqual(faults.calls, ['list', 'getMany'])
  t.deepEqual(
    results.map(({ secrets }) => secrets.map((secret) => `${secret.id}=${secret.text()}`)),
    [['a/x=1'], ['c=4'], ['b/x=2', 'b/y=3'], ['a/x=1', 'b/x=2']],
  )
})

test('explain tells what every plugin did, and holds no value', async (t) => {
  const canary = Canary.random()
  const secret = Secret.from('a', canary.bytes)
  const engine = await createEngine({
    plugins: [failing('bad', '**', new Error('boom')), plugin('good', '**', [secret]), plugin('off', '**', [])],
  })
  await engine.disablePlugin('off')
  const explanation = await engine.explain('a')
  t.deepEqual(
    explanation.outcomes.map(({ plugin: name, status, ids }) => [name, status, ids]),
    [
      ['bad', 'failed', []],
      ['good', 'answered', ['a']],
      ['off', 'not asked: disabled', []],
    ],
  )
  t.is(explanation.outcomes[0]?.failure?.code, 'SE_PLUGIN_FAILURE')
  t.true((explanation.outcomes[1]?.latencyMs as number) >= 0)
  t.deepEqual(explanation.secrets, [{ id: 'a', plugin: 'good', createdAt: undefined }])
  t.is(canary.foundIn(inspect(explanation, { depth: 9, showHidden: true })), undefined)
  t.true(secret.disposed)
})

test('a plugin can be disabled, enabled, and asked alone', async (t) => {
  const plugins = ['one', 'two'].map((name) => plugin(name, '**', [{ id: 'a', value: name }]))
  const engine = await createEngine({ plugins })
  await engine.disablePlugin('one')
  t.deepEqual(
    (await engine.listPlugins()).map(({ enabled }) => enabled),
    [false, true],
  )
  t.deepEqual(shown(await engine.getSecrets('a')), ['a two'])
  t.deepEqual(await engine.getSecrets('a', { plugin: 'one' }), [])
  await engine.enablePlugin('one')
  t.deepEqual(shown(await engine.getSecrets('a', { plugin: 'one' })), ['a one'])
  for (const call of [
    () => engine.getSecrets('a', { plugin: 'onn' }),
    () => engine.disablePlugin('onn'),
    () => engine.enablePlugin('onn'),
  ]) {
    const error = (await t.throwsAsync(call, { code: 'SE_NO_PLUGIN' })) as SecretsError
    t.is(error.hint, 'did you mean one?')
  }
})

test('close closes every plugin once, and everything later is SE_DISPOSED', async (t) => {
  let closed = 0
  const engine = await createEngine({
    plugins: [
      plugin('p', '**', [], {
        close: () => {
          closed += 1
        },
      }),
    ],
  })
  await engine.close()
  await engine.close()
  t.is(closed, 1)
  for (const call of [
    () => engine.getSecrets('a'),
    () => engine.getBatch([]),
    () => engine.explain('a'),
    () => engine.listPlugins(),
    () => engine.enablePlugin('p'),
  ]) {
    await t.throwsAsync(call, { code: 'SE_DISPOSED' })
  }
})

test('a store that was given to the built-in plugin stays open', async (t) => {
  const { engine, store } = await createTestEngine({ a: 'x' })
  await engine.close()
  t.is((await store.get('a')).text(), 'x')
})

test('a text that is no pattern is SE_INVALID_PATTERN', async (t) => {
  const { engine } = await createTestEngine()
  await t.throwsAsync(engine.getSecrets('a**'), { code: 'SE_INVALID_PATTERN' })
})

test('two plugins of one name are refused, and a limit that is none', async (t) => {
  const twice = [plugin('p', 'a', []), plugin('p', 'b', [])]
  await t.throwsAsync(createEngine({ plugins: twice }), { code: 'SE_PLUGIN_DUPLICATE' })
  await t.throwsAsync(createEngine({ plugins: [], timeoutMs: 0 }), { code: 'SE_INVALID_OPTION' })
})

test('a plugin with a bad name, version, pattern or function is SE_PLUGIN_INVALID', (t) => {
  const good: PluginDefinition = { name: 'p', version: 'v1.2.3-rc.1', pattern: '**', getSecrets: () => [] }
  t.notThrows(() => definePlugin(good))
  const bad: object[] = [
    ...['', 'a b', 'a\n', 'a/b', 'x'.repeat(129), undefined].map((name) => ({ name })),
    ...['1.0.0', 'v1', 'v01.0.0', '', undefined].map((version) => ({ version })),
    ...['', 'a**', undefined].map((pattern) => ({ pattern })),
    { getSecrets: undefined },
  ]
  for (const part of bad) {
    t.throws(() => definePlugin({ ...good, ...part }), { code: 'SE_PLUGIN_INVALID' }, inspect(part))
  }
})

test('a member of a definition that there is none of is refused with the nearest, unless it is an object of a class', (t) => {
  const good: PluginDefinition = { name: 'p', version: 'v1.0.0', pattern: '**', getSecrets: () => [] }
  const { pattern, ...others } = good
  const misspelt = t.throws<SecretsError>(() => definePlugin({ ...others, patern: pattern } as never), {
    code: 'SE_PLUGIN_INVALID',
    message: 'the plugin "p" is not valid: it has no key "patern"',
  })
  t.is(misspelt.hint, 'did you mean pattern?')
  const unknown = t.throws<SecretsError>(() => definePlugin({ ...good, colour: 'red' } as never))
  t.regex(unknown.hint ?? '', /^the keys are name, version, .*, close; a class may have more$/)
  t.notThrows(() => definePlugin(definePlugin(good)))
  class Vault {
    readonly colour = 'red'
    readonly name = 'p'
    readonly version = 'v1.0.0'
    readonly pattern = '**'
    getSecrets = () => []
  }
  t.notThrows(() => definePlugin(new Vault()))
})

test('the methods of a plugin that is an object of a class see their object', async (t) => {
  class Vault {
    readonly name = 'vault'
    readonly version = 'v1.0.0'
    readonly pattern = '**'
    readonly #value = 'inside'
    getSecrets(): Answer[] {
      return [{ id: 'a', value: this.#value }]
    }
  }
  const engine = await createEngine({ plugins: [definePlugin(new Vault())] })
  const [secret] = await engine.getSecrets('a')
  t.is(secret?.text(), 'inside')
})

test('facts that a plugin gives are kept, its name and the time are added', async (t) => {
  const createdAt = new Date(1)
  const expiresAt = new Date(2)
  const answer = { id: 'a', value: 'v', version: '7', metadata: { k: 'v' }, createdAt, expiresAt }
  const engine = await createEngine({ plugins: [plugin('p', '**', [answer])] })
  const [secret] = await engine.getSecrets('a')
  t.like(secret, { id: 'a', plugin: 'p', version: '7', metadata: { k: 'v' }, createdAt, expiresAt })
  t.true(secret?.resolvedAt instanceof Date)
})

test('an item that cannot be read fails what asks for it alone, not its batch', async (t) => {
  const asked: string[][] = []
  const half = definePlugin({
    name: 'half',
    version: 'v1.0.0',
    pattern: '**',
    getSecrets: () => [],
    getMany: (patterns) => {
      asked.push(patterns.map(({ text }) => text))
      for (const id of ['b', 'c/x']) {
        if (patterns.some((pattern) => pattern.matches(id))) throw failure(id)
      }
      return [Secret.from('a', 'v'), Secret.from('d', 'w')]
    },
  })
  const failure = (id: string): SecretsError => new StoreError('SE_AMBIGUOUS', `two of ${id}`, { details: { id } })
  const engine = await createEngine({ plugins: [half] })
  const results = await engine.getBatch(['a', 'b', 'c/*', 'd'])
  t.deepEqual(asked, [
    ['a', 'b', 'c/*', 'd'],
    ['a', 'c/*', 'd'],
    ['a', 'd'],
  ])
  t.deepEqual(
    results.map(({ secrets, outcomes }) => secrets[0]?.text() ?? outcomes[0]?.failure?.message),
    ['v', 'half: two of b', 'half: two of c/x', 'w'],
  )
})
