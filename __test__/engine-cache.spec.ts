import test from 'ava'
import { AnswerCache, CACHE_LIMITS } from '../src/engine/answer-cache.js'
import {
  type Answer,
  createEngine,
  type LocalEngine,
  type PluginDefinition,
  parsePattern,
  Secret,
} from '../src/index.js'
import { answering, HeldPlugin } from './helpers/plugins.js'

const HOUR_MS = 3_600_000
const own = parsePattern('**')

function brought(secrets: readonly Secret[]) {
  return { secrets, dropped: [], failure: undefined, latencyMs: 0, cached: false }
}

/** A plugin that counts what it is asked. */
async function counting(answers: () => Answer[], more: Partial<PluginDefinition> = { cacheTtlMs: HOUR_MS }) {
  const asked: string[] = []
  const plugin = answering('p', '**', [], {
    getSecrets: (pattern) => {
      asked.push(pattern.text)
      return answers().filter(({ id }) => pattern.matches(id))
    },
    ...more,
  })
  return { asked, engine: await createEngine({ plugins: [plugin] }) }
}

async function read(engine: LocalEngine, pattern: string): Promise<[string, string[]]> {
  const [result] = await engine.getBatch([pattern])
  const values = result?.secrets.map((secret) => `${secret.id}=${secret.text()}`) ?? []
  for (const secret of result?.secrets ?? []) secret.dispose()
  return [result?.outcomes[0]?.status ?? '', values]
}

test('an answer is used again for equal requests, in copies, when the plugin says for how long', async (t) => {
  let value = 0
  const { asked, engine } = await counting(() => [{ id: 'a', value: String(++value) }])
  t.deepEqual(await read(engine, 'a'), ['answered', ['a=1']])
  t.deepEqual(await read(engine, 'a'), ['cached', ['a=1']])
  t.deepEqual(await read(engine, '*'), ['answered', ['a=2']], 'another pattern is another request')
  t.deepEqual(asked, ['a', '*'])
  t.deepEqual(await engine.explain('a').then(({ outcomes }) => outcomes[0]?.ids), ['a'])
})

test('without a time nothing is kept', async (t) => {
  const { asked, engine } = await counting(() => [{ id: 'a', value: 'v' }], {})
  await read(engine, 'a')
  await read(engine, 'a')
  t.deepEqual(asked, ['a', 'a'])
})

test('an answer without a secret is not kept, nor a failure', async (t) => {
  const answers: Answer[] = []
  let fails = true
  const { engine } = await counting(() => {
    if (fails) throw new Error('boom')
    return answers
  })
  t.deepEqual(await read(engine, 'a'), ['failed', []])
  fails = false
  t.deepEqual(await read(engine, 'a'), ['nothing', []])
  answers.push({ id: 'a', value: 'v' })
  t.deepEqual(await read(engine, 'a'), ['answered', ['a=v']])
})

test('what was kept is forgotten by dropCache, and when the plugin is disabled', async (t) => {
  const drops: ((engine: LocalEngine) => Promise<void>)[] = [
    async (engine) => engine.dropCache(),
    async (engine) => {
      await engine.disablePlugin('p')
      await engine.enablePlugin('p')
    },
  ]
  for (const drop of drops) {
    const { engine, asked } = await counting(() => [{ id: 'a', value: 'v' }])
    await read(engine, 'a')
    await drop(engine)
    t.is((await read(engine, 'a'))[0], 'answered')
    t.is(asked.length, 2)
  }
})

test('what a call brings that began before dropCache is not kept, and nobody joins it', async (t) => {
  const held = new HeldPlugin('held', { cacheTtlMs: HOUR_MS })
  const engine = await createEngine({ plugins: [held.plugin] })
  const before = engine.getSecrets('a')
  engine.dropCache()
  const after = engine.getSecrets('a')
  held.calls[0]?.answer([{ id: 'a', value: 'old' }])
  t.is((await before)[0]?.text(), 'old')
  held.calls[1]?.answer([{ id: 'a', value: 'new' }])
  t.is((await after)[0]?.text(), 'new')
  t.is((await engine.getSecrets('a'))[0]?.text(), 'new')
  t.is(held.calls.length, 2)
})

test('what is kept ends with its time, and earlier where a secret expires', (t) => {
  const clock = { at: 0, now: () => clock.at, today: () => 1_000_000 + clock.at }
  const cache = new AnswerCache(clock)
  const keep = (key: string, expiresAt?: Date): void =>
    cache.keep(key, own, brought([Secret.from('a', 'v', { expiresAt }), Secret.from('b', 'v')]), 100)
  keep('long')
  keep('short', new Date(1_000_050))
  keep('over', new Date(1_000_000))
  t.is(cache.find('over', own), undefined)
  clock.at = 49
  t.is(cache.find('short', own)?.length, 2)
  clock.at = 50
  t.is(cache.find('short', own), undefined)
  t.is(cache.find('long', own)?.length, 2)
  clock.at = 100
  t.is(cache.find('long', own), undefined)
})

test('what is kept was answered under the pattern that the plugin has now', (t) => {
  const cache = new AnswerCache()
  cache.keep('a', own, brought([Secret.from('a', 'v')]), HOUR_MS)
  t.is(cache.find('a', parsePattern('a')), undefined)
  t.is(cache.find('a', own), undefined)
})

test('a cache is bounded in secrets and in bytes: the oldest make room, and what is larger is not kept', (t) => {
  const cache = new AnswerCache()
  const keep = (key: string, count: number, bytes: number): void => {
    const secrets = Array.from({ length: count }, (_, n) => Secret.from(`s/${n}`, Buffer.alloc(bytes)))
    cache.keep(key, own, brought(secrets), HOUR_MS)
    for (const secret of secrets) secret.dispose()
  }
  const kept = (keys: string[]): string[] =>
    keys.filter((key) => {
      const found = cache.find(key, own)
      for (const secret of found ?? []) secret.dispose()
      return found !== undefined
    })
  keep('one', CACHE_LIMITS.secrets / 2, 1)
  keep('two', CACHE_LIMITS.secrets / 2, 1)
  t.deepEqual(kept(['one', 'two']), ['one', 'two'])
  keep('three', 1, 1)
  t.deepEqual(kept(['one', 'two', 'three']), ['two', 'three'])
  keep('four', 1, CACHE_LIMITS.bytes - 1)
  t.deepEqual(kept(['two', 'three', 'four']), ['three', 'four'])
  keep('many', CACHE_LIMITS.secrets + 1, 0)
  keep('large', 1, CACHE_LIMITS.bytes + 1)
  t.deepEqual(kept(['three', 'four', 'many', 'large']), ['three', 'four'])
  keep('four', 1, 1)
  keep('five', 1, 1)
  t.deepEqual(kept(['three', 'four', 'five']), ['three', 'four', 'five'], 'what is kept anew takes no more room')
  cache.clear()
  t.deepEqual(kept(['three', 'four', 'five']), [])
})

test('a value is wiped when its time is over, though nobody asks', (t) => {
  const clock = { at: 0, now: () => clock.at, today: () => clock.at }
  const cache = new AnswerCache(clock)
  cache.keep('short', own, brought([Secret.from('a', 'v')]), 10)
  cache.keep('long', own, brought([Secret.from('a', 'v')]), 20)
  clock.at = 10
  cache.sweep()
  clock.at = 0
  t.is(cache.find('short', own), undefined, 'it is gone, whatever the clock says')
  t.is(cache.find('long', own)?.length, 1)
  cache.clear()
})
