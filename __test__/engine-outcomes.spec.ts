import test from 'ava'
import fc from 'fast-check'
import { now } from '../src/clock.js'
import { Deadlines } from '../src/engine/deadlines.js'
import { createError } from '../src/errors/secrets-error.js'
import {
  AccessError,
  type Answer,
  CancelledError,
  createEngine,
  definePlugin,
  keychain,
  parsePattern,
  type Secret,
  type SecretsError,
  StoreError,
} from '../src/index.js'
import { Canary, createTestStore } from '../src/testing/index.js'
import { answering, ask, HeldPlugin, keptLog, settled, shown } from './helpers/plugins.js'

test('a request ends at the latest deadline, each plugin has its own, and what others answered is there', async (t) => {
  const plugins = [
    new HeldPlugin('hung', { timeoutMs: 1 }).plugin,
    new HeldPlugin('slow').plugin,
    answering('quick', '**', [{ id: 'a', value: 'v' }]),
  ]
  const engine = await createEngine({ plugins, timeoutMs: 2 })
  const [result] = await engine.getBatch(['a'])
  t.deepEqual(
    result?.outcomes.map(({ plugin, status, failure }) => [plugin, status, failure?.message]),
    [
      ['hung', 'timed out', 'the plugin hung took longer than 1 ms and was abandoned'],
      ['quick', 'answered', undefined],
      ['slow', 'timed out', 'the plugin slow took longer than 2 ms and was abandoned'],
    ],
  )
  t.deepEqual(shown(result?.secrets ?? []), ['a quick'])
  t.true(result?.outcomes.every(({ latencyMs }) => (latencyMs as number) >= 0))
})

test('of several failures the one of the plugin that is made for the fewest ids is told, and last what does not run', async (t) => {
  const failing = (name: string, pattern: string, code: 'SE_LOCKED' | 'SE_PLUGIN_UNAVAILABLE') =>
    definePlugin({
      name,
      version: 'v1.0.0',
      pattern,
      getSecrets: () => {
        throw createError(code, 'why')
      },
    })
  const plugins = [
    failing('a', '**', 'SE_PLUGIN_UNAVAILABLE'), // as one without a pattern that never registered
    failing('b', '**', 'SE_LOCKED'),
    failing('c', '*/**', 'SE_LOCKED'),
    failing('d', 'team/**', 'SE_LOCKED'),
    failing('e', '*/db', 'SE_LOCKED'),
    failing('f', 'team/*', 'SE_PLUGIN_UNAVAILABLE'),
  ]
  const engine = await createEngine({ plugins })
  const told: unknown[] = []
  const failed = await t.throwsAsync<SecretsError>(engine.getSecrets('team/db'))
  t.is(failed.details['plugin'], 'e')
  t.is((await engine.explain('team/db')).problem?.details['plugin'], 'e')
  const both = await createEngine({ plugins: [...plugins, answering('quick', '**', [{ id: 'team/db', value: 'v' }])] })
  await both.getSecrets('team/db', { onFailure: ({ details }) => told.push(details['plugin']) })
  t.deepEqual(told, ['e', 'f', 'd', 'b', 'c', 'a'])
})

test('all deadlines share one timer, which ends each after its time, and not what has ended', async (t) => {
  const deadlines = new Deadlines()
  const rung = new Set<string>()
  const begun = now()
  await new Promise<void>((resolve) => {
    const due = (name: string, inMs: number) => ({
      at: begun + inMs,
      expire: () => {
        t.true(now() - begun >= inMs - 1, 'not before its time')
        t.false(rung.has(name))
        rung.add(name)
        if (rung.size === 3) resolve()
      },
    })
    const ended = due('ended', 5)
    deadlines.add(due('last', 20))
    deadlines.add(due('first', 1))
    deadlines.add(ended)
    deadlines.add(due('middle', 10))
    deadlines.delete(ended)
  })
  t.deepEqual([...rung].sort(), ['first', 'last', 'middle'])
})

test('an outcome says what became of each plugin', async (t) => {
  const throwing = (name: string, error: unknown) =>
    answering(name, '**', [], {
      getSecrets: () => {
        throw error
      },
    })
  const { store } = await createTestStore({ a: 'v' })
  const engine = await createEngine({
    plugins: [
      keychain({ store }),
      answering('cached', '**', [{ id: 'a', value: 'v' }], { cacheTtlMs: 3_600_000 }),
      throwing('denied', new StoreError('SE_STORE_FAILURE', 'x')),
      throwing('dismissed', Object.assign(new Error('x'), { code: 'EACCES' })),
      answering('elsewhere', 'b/**', []),
      answering('nothing', '**', []),
      answering('off', '**', []),
    ],
    disabled: ['off'],
  })
  await engine.getSecrets('a')
  const { outcomes } = await engine.explain('a')
  t.deepEqual(
    outcomes.map(({ plugin, status, ids }) => [plugin, status, ids.length]),
    [
      ['docker-pass', 'answered', 1],
      ['cached', 'cached', 1],
      ['denied', 'failed', 0],
      ['dismissed', 'failed', 0],
      ['elsewhere', 'not asked: no overlap', 0],
      ['nothing', 'nothing', 0],
      ['off', 'not asked: disabled', 0],
    ],
  )
})

test('a plugin that refuses is refused, one that says it had no time timed out', async (t) => {
  const errors = {
    dismissed: new AccessError('SE_PROMPT_DISMISSED', 'no'),
    forbidden: new AccessError('SE_ACCESS_DENIED', 'no'),
    locked: new AccessError('SE_LOCKED', 'no'),
    timely: new CancelledError('SE_TIMEOUT', 'no'),
  }
  const plugins = Object.entries(errors).map(([name, error]) =>
    answering(name, '**', [], { getSecrets: () => Promise.reject(error) }),
  )
  const { outcomes } = await (await createEngine({ plugins })).explain('a')
  t.deepEqual(
    outcomes.map(({ status }) => status),
    ['refused', 'refused', 'failed', 'timed out'],
  )
})

test('explain says what resolve would give under each policy', async (t) => {
  const engine = await createEngine({
    plugins: [
      answering('one', '**', [{ id: 'a', value: '1', createdAt: new Date(1) }]),
      answering('two', '**', [{ id: 'a', value: '2', createdAt: new Date(2) }]),
    ],
  })
  const unique = await engine.explain('a')
  t.is(unique.chosen, undefined)
  t.is(unique.problem?.code, 'SE_NOT_UNIQUE')
  t.is(unique.problem?.message, 'se://a has 2 answers: a (one), a (two)')
  t.deepEqual(unique.problem?.details['plugins'], ['one', 'two'])
  t.is((await engine.explain('a', { policy: 'first' })).chosen?.plugin, 'one')
  t.is((await engine.explain('a', { policy: 'newest' })).chosen?.plugin, 'two')
  t.is((await engine.explain('a', { plugin: 'one' })).chosen?.plugin, 'one')
  t.is((await engine.explain('b')).problem?.code, 'SE_NOT_FOUND')
  await t.throwsAsync(engine.explain('a', { policy: 'last' as never }), { code: 'SE_INVALID_OPTION' })
})

test('explain tells the failure that keeps resolve from an answer', async (t) => {
  const bad = (pattern: string) =>
    answering('bad', pattern, [], { getSecrets: () => Promise.reject(new Error('boom')) })
  const good = answering('good', '**', [{ id: 'a/b', value: 'v' }])
  const narrow = await createEngine({ plugins: [bad('a/**'), good] })
  t.is((await narrow.explain('a/b')).problem?.code, 'SE_PLUGIN_FAILURE')
  t.is((await narrow.explain('a/b', { policy: 'first' })).chosen?.plugin, 'good')
  const wide = await createEngine({ plugins: [bad('**'), good] })
  t.is((await wide.explain('a/b')).chosen?.plugin, 'good')
  t.is((await wide.explain('a/b', { strict: true })).problem?.code, 'SE_PLUGIN_FAILURE')
})

test('two answers of one plugin for an id stay two, so that unique names them', async (t) => {
  const twice = ['1', '2'].map((value) => ({ id: 'a', value }))
  const engine = await createEngine({ plugins: [answering('p', '**', twice)] })
  t.deepEqual(
    (await engine.getSecrets('a')).map((secret) => secret.text()),
    ['1', '2'],
  )
  t.is((await engine.explain('a')).problem?.message, 'se://a has 2 answers: a (p), a (p)')
})

test('of many answers the message names some, and every plugin', async (t) => {
  const many = Array.from({ length: 200 }, (_, n) => ({ id: `a/${1000 + n}`, value: 'v' }))
  const engine = await createEngine({ plugins: [answering('p', '**', many), answering('q', '**', many.slice(0, 1))] })
  const { problem } = await engine.explain('a/*')
  t.true(problem?.message.endsWith(' and 196 more, of p, q'))
  t.like(problem?.details, { count: 201, plugins: ['p', 'q'] })
  t.is((problem?.details['answers'] as unknown[]).length, 100)
})

test('what is dropped and what fails is logged with the plugin, and without any id, message or value', async (t) => {
  const canary = Canary.random()
  const { lines, log } = keptLog()
  const stray = answering('stray', 'own/**', [], { getSecrets: () => [{ id: canary.text, value: canary.text }] })
  const bad = answering('bad', '**', [], { getSecrets: () => Promise.reject(new Error(canary.text)) })
  const engine = await createEngine({ plugins: [stray, bad], log })
  await engine.explain('own/a')
  t.deepEqual(lines.sort(), [
    'debug the plugin failed {"plugin":"bad","pattern":"own/a","code":"SE_PLUGIN_FAILURE"}',
    'warn answers outside of what was asked, or of the plugin’s own pattern, were dropped {"plugin":"stray","pattern":"own/a","dropped":1}',
  ])
  t.is(canary.foundIn(lines.join('\n')), undefined)
})

test('a plugin writes to the log of the engine under its name', async (t) => {
  const { lines, log } = keptLog()
  const talking = answering('talking', '**', [], {
    getSecrets: (_, context) => {
      context.log.info('hello', { count: 1 })
      return []
    },
  })
  await (await createEngine({ plugins: [talking], log })).getSecrets('a')
  t.deepEqual(lines, ['info hello {"plugin":"talking","count":1}'])
  await (await createEngine({ plugins: [talking] })).getSecrets('a')
})

test('a log that fails keeps no request from its answer', async (t) => {
  const fail = () => {
    throw new Error('the disk is full')
  }
  const log = { debug: fail, info: fail, warn: fail, error: fail }
  const stray = answering('stray', '**', [], { getSecrets: () => [{ id: 'b', value: 'v' }] })
  const failing = answering('failing', '**', [], { getSecrets: fail })
  const engine = await createEngine({ plugins: [stray, failing], log })
  const [result] = await engine.getBatch(['a'])
  t.deepEqual(
    result?.outcomes.map(({ status }) => status),
    ['failed', 'nothing'],
  )
})

test('before plugins are asked it is asked whether the caller may, with all its patterns', async (t) => {
  const asked: unknown[] = []
  const held = new HeldPlugin('held')
  const requester = { pid: 1, name: 'init', path: '/sbin/init' }
  let allow: () => void = () => undefined
  const engine = await createEngine({
    plugins: [held.plugin],
    authorize: (patterns, context) => {
      asked.push([patterns.map(String), context.requester])
      return new Promise((resolve) => {
        allow = resolve
      })
    },
  })
  const asking = engine.getBatch(['a', 'b/*', 'a'], { requester })
  await settled()
  t.deepEqual(asked, [[['a', 'b/*'], requester]])
  t.is(held.calls.length, 0)
  allow()
  await held.begun(2)
  for (const call of held.calls) call.answer([])
  t.is((await asking).length, 3)
})

test('what is like an id is named to whoever may ask for it, and to nobody else', async (t) => {
  const plugins = [answering('p', '**', [], { listIds: () => ['team/token'] })]
  const allowed = async (may: boolean): Promise<string | undefined> => {
    const authorize = may ? async () => {} : () => Promise.reject(new AccessError('SE_ACCESS_DENIED', 'no'))
    return (await createEngine({ plugins, authorize })).suggest('team/tokem')
  }
  t.is(await allowed(true), 'team/token')
  t.is(await allowed(false), undefined)
})

test('where nobody needs to be asked whether somebody may, plugins are asked at once', async (t) => {
  const held = new HeldPlugin('held')
  const engine = await createEngine({ plugins: [held.plugin], authorize: () => undefined })
  const { results } = ask(engine, ['a'])
  t.is(held.calls.length, 1)
  held.calls[0]?.answer([])
  t.is((await results).length, 1)
})

test('who may not ask gets the refusal, and no plugin is asked', async (t) => {
  const held = new HeldPlugin('held')
  const refusals = [
    () => Promise.reject(new AccessError('SE_ACCESS_DENIED', 'no')),
    () => Promise.reject(new Error('x')),
    () => {
      throw new Error('x')
    },
  ]
  for (const authorize of refusals) {
    const engine = await createEngine({ plugins: [held.plugin], authorize })
    await t.throwsAsync(engine.getSecrets('a'), { code: 'SE_ACCESS_DENIED' })
    await t.throwsAsync(engine.explain('a'), { code: 'SE_ACCESS_DENIED' })
  }
  const hung = await createEngine({
    plugins: [held.plugin],
    authorize: () => new Promise(() => undefined),
    timeoutMs: 1,
  })
  await t.throwsAsync(hung.getSecrets('a'), { code: 'SE_TIMEOUT' })
  t.is(held.calls.length, 0)
})

test('who leaves while it is asked whether it may ends that, too', async (t) => {
  let signal: AbortSignal | undefined
  const held = new HeldPlugin('held')
  const engine = await createEngine({
    plugins: [held.plugin],
    authorize: (_, context) => {
      signal = context.signal
      return new Promise((_, reject) => context.signal.addEventListener('abort', () => reject(context.signal.reason)))
    },
  })
  const asking = ask(engine, ['a'])
  asking.abandon(new Error('gone'))
  await t.throwsAsync(asking.results)
  t.true(signal?.aborted)
  t.is(held.calls.length, 0)
})

test('a hundred thousand answers of one plugin hide no other, come in order, and let others run meanwhile', async (t) => {
  const count = 100_000
  const ids = Array.from({ length: count }, (_, n) => `many/${(n * 7919) % count}`)
  const value = Buffer.from('v')
  const flood = answering('flood', '**', [], { getSecrets: () => ids.map((id) => ({ id, value })) })
  const engine = await createEngine({ plugins: [flood, answering('other', '**', [{ id: 'many/x', value: 'v' }])] })
  let turns = 0
  let running = true
  const count1 = (): void => {
    turns++
    if (running) setImmediate(count1)
  }
  setImmediate(count1)
  const [result] = await engine.getBatch(['many/*'])
  running = false
  t.true(turns > count / 1000, 'there was a turn for others at least every thousand answers')
  t.is(result?.secrets.length, count + 1)
  t.is(result?.secrets.at(-1)?.plugin, 'other')
  const answered = result?.outcomes[0]?.ids ?? []
  t.true(answered.every((id, n) => n === 0 || (answered[n - 1] as string) <= id))
  for (const secret of result?.secrets ?? []) secret.dispose()
})

test('merged answers are those that each plugin gives for its part, in order of priority, then of id, stable', async (t) => {
  const id = fc.constantFrom('a', 'a/b', 'a/c', 'b', 'b/c', 'A', 'a.b', '0')
  const pattern = fc.constantFrom('**', '*', 'a/**', '*/c', 'b', '**/b')
  const names = ['w', 'x', 'y', 'z']
  const arbitrary = fc.record({
    answers: fc.tuple(fc.array(id), fc.array(id), fc.array(id), fc.array(id)),
    patterns: fc.tuple(pattern, pattern, pattern, pattern),
    priority: fc.shuffledSubarray(names),
    asked: fc.uniqueArray(pattern, { minLength: 1 }),
    batch: fc.boolean(),
  })
  const property = fc.asyncProperty(arbitrary, async ({ answers, patterns, priority, asked, batch }) => {
    const plugins = names.map((name, n) => {
      const all = (): Answer[] => (answers[n] ?? []).map((one, at) => ({ id: one, value: String(at) }))
      return definePlugin({
        name,
        version: 'v1.0.0',
        pattern: patterns[n] as string,
        getSecrets: all,
        ...(batch && { getMany: all }),
      })
    })
    const engine = await createEngine({ plugins, priority })
    const results = await engine.getBatch(asked)
    const order = [...priority, ...names.filter((name) => !priority.includes(name))]
    for (const [row, text] of asked.entries()) {
      const wanted = order.flatMap((name) => {
        const place = names.indexOf(name)
        const own = plugins[place]?.parsedPattern
        return (answers[place] ?? [])
          .map((one, at) => ({ one, at }))
          .filter(({ one }) => own?.matches(one) && parsePattern(text).matches(one))
          .sort((a, b) => (a.one < b.one ? -1 : a.one > b.one ? 1 : a.at - b.at))
          .map(({ one, at }) => `${one} ${name} ${at}`)
      })
      t.deepEqual(
        results[row]?.secrets.map((secret: Secret) => `${secret.id} ${secret.plugin} ${secret.text()}`),
        wanted,
      )
    }
  })
  await fc.assert(property, { numRuns: 200 })
})

test('what a plugin fails with has the plugin among its details', async (t) => {
  const bad = answering('bad', '**', [], { getSecrets: () => Promise.reject(new Error('x')) })
  const { outcomes } = await (await createEngine({ plugins: [bad] })).explain('a')
  t.is((outcomes[0]?.failure as SecretsError).details['plugin'], 'bad')
})
