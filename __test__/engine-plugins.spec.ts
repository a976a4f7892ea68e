import test from 'ava'
import {
  createEngine,
  definePlugin,
  keychain,
  type LocalEngine,
  type Plugin,
  parsePattern,
  Secret,
  type SecretsError,
} from '../src/index.js'
import { createTestStore } from '../src/testing/index.js'
import { answering, HeldPlugin, shown } from './helpers/plugins.js'

const names = async (engine: LocalEngine): Promise<string[]> => (await engine.listPlugins()).map(({ name }) => name)
const any = (name: string): Plugin => answering(name, '**', [{ id: 'a', value: name }])

test('plugins come and go while the engine runs, and stay in order of priority', async (t) => {
  const engine = await createEngine({ plugins: [any('m')], priority: ['z'] })
  engine.addPlugin(any('a'))
  engine.addPlugin(any('z'))
  t.deepEqual(await names(engine), ['z', 'a', 'm'], 'a priority may name a plugin that comes later')
  t.deepEqual(shown(await engine.getSecrets('a')), ['a z', 'a a', 'a m'])
  await engine.removePlugin('a')
  t.deepEqual(shown(await engine.getSecrets('a')), ['a z', 'a m'])
  engine.addPlugin(any('a'))
  t.deepEqual(await names(engine), ['z', 'a', 'm'])
  const error = t.throws(() => engine.addPlugin(any('a')), { code: 'SE_PLUGIN_DUPLICATE' }) as SecretsError
  t.is(error.details['plugin'], 'a')
  t.throws(() => engine.addPlugin({ name: 'x' } as never), { code: 'SE_PLUGIN_INVALID' })
  await t.throwsAsync(engine.removePlugin('b'), { code: 'SE_NO_PLUGIN' })
})

test('a request that is under way has the plugins that were there when it asked', async (t) => {
  const held = new HeldPlugin('held')
  const engine = await createEngine({ plugins: [held.plugin] })
  const asking = engine.getBatch(['a'])
  engine.addPlugin(any('late'))
  const removing = engine.removePlugin('held')
  held.calls[0]?.answer([{ id: 'a', value: 'v' }])
  const [result] = await asking
  t.deepEqual(shown(result?.secrets ?? []), ['a held'])
  t.deepEqual(
    result?.outcomes.map(({ plugin }) => plugin),
    ['held'],
  )
  await removing
})

test('a plugin that is taken out is closed when what is asked of it is over, and its name is free at once', async (t) => {
  let closed = 0
  const held = new HeldPlugin('held', {
    close: () => {
      closed++
    },
  })
  const engine = await createEngine({ plugins: [held.plugin] })
  const asking = engine.getSecrets('a')
  const removing = engine.removePlugin('held')
  engine.addPlugin(any('held'))
  t.is((await engine.getSecrets('a'))[0]?.text(), 'held')
  t.is(closed, 0)
  held.calls[0]?.answer([{ id: 'a', value: 'old' }])
  t.is((await asking)[0]?.text(), 'old')
  await removing
  t.is(closed, 1)
})

test('a close that fails names the plugin', async (t) => {
  const plugin = answering('p', '**', [], { close: () => Promise.reject(new Error('boom')) })
  const engine = await createEngine({ plugins: [plugin] })
  const error = (await t.throwsAsync(engine.removePlugin('p'), { code: 'SE_PLUGIN_FAILURE' })) as SecretsError
  t.is(error.details['plugin'], 'p')
  t.deepEqual(await engine.listPlugins(), [])
})

test('a plugin whose pattern changes is asked, and believed, by its new pattern', async (t) => {
  let pattern = 'old/**'
  const base = new HeldPlugin('moving')
  const moving: Plugin = {
    ...base.plugin,
    get pattern() {
      return pattern
    },
    get parsedPattern() {
      return parsePattern(pattern)
    },
  }
  const engine = await createEngine({ plugins: [moving] })
  const before = engine.getBatch(['*/a'])
  pattern = 'new/**'
  const after = engine.getBatch(['*/a'])
  t.is(base.calls.length, 2, 'a call of the old pattern is not joined')
  const answers = ['old/a', 'new/a'].map((id) => ({ id, value: 'v' }))
  for (const call of base.calls) call.answer(answers)
  t.deepEqual(shown((await before)[0]?.secrets ?? []), ['old/a moving'])
  t.deepEqual(shown((await after)[0]?.secrets ?? []), ['new/a moving'])
  const [outcome] = (await engine.explain('old/a')).outcomes
  t.like(outcome, { status: 'not asked: no overlap', pattern: 'new/**' })
})

test('names that are disabled from the start are those of plugins that come later, too', async (t) => {
  const engine = await createEngine({ plugins: [any('one')], disabled: ['one', 'two'] })
  engine.addPlugin(any('two'))
  engine.addPlugin(any('three'))
  t.deepEqual(shown(await engine.getSecrets('a')), ['a three'])
  await engine.enablePlugin('two')
  await engine.removePlugin('two')
  await engine.disablePlugin('three')
  await engine.removePlugin('three')
  engine.addPlugin(any('two'))
  engine.addPlugin(any('three'))
  t.deepEqual(shown(await engine.getSecrets('a')), ['a two'], 'one that comes back is as it was')
})

test('the built-in plugin is always enabled, and says so', async (t) => {
  const { store } = await createTestStore({ a: 'v' })
  const engine = await createEngine({ plugins: [keychain({ store })], disabled: ['docker-pass'] })
  t.deepEqual(shown(await engine.getSecrets('a')), ['a docker-pass'])
  for (const change of [engine.disablePlugin('docker-pass'), engine.enablePlugin('docker-pass')]) {
    const error = (await t.throwsAsync(change, { code: 'SE_INVALID_OPTION' })) as SecretsError
    t.is(error.message, 'the plugin docker-pass is always enabled')
  }
  t.like((await engine.listPlugins())[0], { enabled: true, configurable: false, builtIn: true, status: 'running' })
})

test('a plugin is told when it is enabled and disabled, one change after the other', async (t) => {
  const told: string[] = []
  const gates: (() => void)[] = []
  const plugin: Plugin = {
    ...any('p'),
    setEnabled: async (enabled) => {
      told.push(`begin ${enabled}`)
      await new Promise<void>((resolve) => gates.push(resolve))
      told.push(`end ${enabled}`)
    },
  }
  const engine = await createEngine({ plugins: [plugin] })
  const changes = [engine.disablePlugin('p'), engine.enablePlugin('p')]
  await new Promise(setImmediate)
  t.deepEqual(told, ['begin false'])
  t.deepEqual(await engine.getSecrets('a'), [], 'it is not asked from then on')
  gates.shift()?.()
  await changes[0]
  await new Promise(setImmediate)
  t.deepEqual(told, ['begin false', 'end false', 'begin true'])
  t.deepEqual(await engine.getSecrets('a'), [])
  gates.shift()?.()
  await changes[1]
  t.deepEqual(shown(await engine.getSecrets('a')), ['a p'])
})

test('a plugin that cannot be started stays disabled, and one that cannot be stopped is not asked', async (t) => {
  const plugin: Plugin = { ...any('p'), setEnabled: () => Promise.reject(new Error('no')) }
  const engine = await createEngine({ plugins: [plugin], disabled: ['p'] })
  await t.throwsAsync(engine.enablePlugin('p'), { code: 'SE_PLUGIN_FAILURE' })
  t.deepEqual(await engine.getSecrets('a'), [])
  engine.addPlugin({ ...plugin, name: 'q' })
  await t.throwsAsync(engine.disablePlugin('q'), { code: 'SE_PLUGIN_FAILURE' })
  t.deepEqual(await engine.getSecrets('a'), [])
})

test('listPlugins shows how a plugin says it is doing', async (t) => {
  const crashed: Plugin = { ...any('c'), state: () => ({ status: 'crashed', message: 'exit 3' }) }
  const engine = await createEngine({ plugins: [crashed, any('off'), any('on')], disabled: ['off'] })
  t.deepEqual(
    (await engine.listPlugins()).map(({ name, status, statusMessage }) => [name, status, statusMessage]),
    [
      ['c', 'crashed', 'exit 3'],
      ['off', 'stopped', undefined],
      ['on', 'running', undefined],
    ],
  )
})

test('disabling leaves what is asked already to those who wait', async (t) => {
  const held = new HeldPlugin('held')
  const engine = await createEngine({ plugins: [held.plugin] })
  const asking = engine.getSecrets('a')
  await engine.disablePlugin('held')
  held.calls[0]?.answer([Secret.from('a', 'v')])
  t.deepEqual(shown(await asking), ['a held'])
})

test('limits of a plugin that are no milliseconds are SE_PLUGIN_INVALID', (t) => {
  for (const more of [{ timeoutMs: 0 }, { timeoutMs: Number.NaN }, { cacheTtlMs: -1 }, { cacheTtlMs: '5' as never }]) {
    const definition = { name: 'p', version: 'v1.0.0', pattern: '**', getSecrets: () => [], ...more }
    t.throws(() => definePlugin(definition), { code: 'SE_PLUGIN_INVALID' })
  }
})

test('a closed engine takes no plugin', async (t) => {
  const engine = await createEngine({ plugins: [] })
  await engine.close()
  t.throws(() => engine.addPlugin(any('p')), { code: 'SE_DISPOSED' })
  await t.throwsAsync(engine.removePlugin('p'), { code: 'SE_DISPOSED' })
})
