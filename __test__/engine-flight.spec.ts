import test from 'ava'
import fc from 'fast-check'
import { createEngine, definePlugin, PluginError, Secret, type SecretsError } from '../src/index.js'
import { type Asking, ask, HeldPlugin, settled, shown } from './helpers/plugins.js'

test('equal requests in flight share one call, whoever asks, and each gets secrets of its own', async (t) => {
  const held = new HeldPlugin('held')
  const engine = await createEngine({ plugins: [held.plugin] })
  const requester = { pid: 1, name: 'init', path: '/sbin/init' }
  const asking = [engine.getSecrets('a'), engine.getSecrets('a', { requester }), engine.getSecrets('a')]
  const original = Secret.from('a', 'value')
  held.calls[0]?.answer([original])
  const answers = await Promise.all(asking)
  t.is(held.calls.length, 1)
  const secrets = answers.flat()
  t.is(new Set(secrets).size, 3)
  t.is(secrets[2], original, 'the last gets what the plugin gave')
  secrets[0]?.dispose()
  secrets[2]?.dispose()
  t.is(secrets[1]?.text(), 'value')
  t.like(secrets[1], { id: 'a', plugin: 'held', resolvedAt: original.resolvedAt })
  void engine.getSecrets('a')
  t.is(held.calls.length, 2, 'a call that is over is joined by nobody')
})

test('requests that differ in pattern, in times or in plugin do not share', async (t) => {
  const one = new HeldPlugin('one')
  const two = new HeldPlugin('two')
  const engine = await createEngine({ plugins: [one.plugin, two.plugin] })
  void engine.getSecrets('a', { plugin: 'one' })
  void engine.getSecrets('*', { plugin: 'one' })
  void engine.getSecrets('a', { plugin: 'one', times: true })
  void engine.getSecrets('a')
  t.deepEqual(
    one.calls.map(({ patterns, context }) => [patterns[0], context.times]),
    [
      ['a', false],
      ['*', false],
      ['a', true],
    ],
  )
  t.is(two.calls.length, 1)
})

test('of a batch, what is in flight already is joined, and the rest is one call', async (t) => {
  const held = new HeldPlugin('held', { batch: true })
  const engine = await createEngine({ plugins: [held.plugin] })
  const first = engine.getBatch(['a', 'b'])
  const second = engine.getBatch(['b', 'c', 'd'])
  t.deepEqual(
    held.calls.map(({ patterns }) => patterns),
    [
      ['a', 'b'],
      ['c', 'd'],
    ],
  )
  const originals = ['a', 'b'].map((id) => Secret.from(id, id))
  held.calls[0]?.answer(originals)
  held.calls[1]?.answer([{ id: 'c', value: 'c' }])
  const texts = (results: readonly { secrets: readonly Secret[] }[]): string[] =>
    results.flatMap(({ secrets }) => secrets.map((secret) => `${secret.id}=${secret.text()}`))
  t.deepEqual(texts(await first), ['a=a', 'b=b'])
  t.deepEqual(texts(await second), ['b=b', 'c=c'])
})

test('a secret that several patterns match is one object for each caller, also where a part was joined', async (t) => {
  const held = new HeldPlugin('held', { batch: true })
  const engine = await createEngine({ plugins: [held.plugin] })
  const first = engine.getBatch(['a', '*'])
  const second = engine.getBatch(['*', 'a', '**'])
  held.calls[0]?.answer([Secret.from('a', '1')])
  held.calls[1]?.answer([Secret.from('a', '1')])
  const mine = (await first).flatMap(({ secrets }) => secrets)
  const theirs = (await second).flatMap(({ secrets }) => secrets)
  t.deepEqual([mine.length, new Set(mine).size], [2, 1])
  t.deepEqual([theirs.length, new Set(theirs).size], [3, 1])
  mine[0]?.dispose()
  t.is(theirs[0]?.text(), '1')
})

test('a caller that leaves does not cancel the call for others; the last one that leaves aborts it', async (t) => {
  const held = new HeldPlugin('held')
  const engine = await createEngine({ plugins: [held.plugin] })
  const controllers = [new AbortController(), new AbortController()]
  const asking = controllers.map(({ signal }) => engine.getSecrets('a', { signal }))
  const call = await held.begun(1)
  const { signal } = call.context
  controllers[0]?.abort()
  await t.throwsAsync(asking[0] as Promise<unknown>, { code: 'SE_ABORTED' })
  t.false(signal.aborted)
  controllers[1]?.abort(new Error('enough'))
  await t.throwsAsync(asking[1] as Promise<unknown>, { code: 'SE_ABORTED' })
  t.true(signal.aborted)
  t.is((signal.reason as SecretsError).code, 'SE_ABORTED')
  const late = Secret.from('a', 'late')
  call.answer([late])
  await settled()
  t.true(late.disposed)
  void engine.getSecrets('a')
  t.is(held.calls.length, 2, 'an abandoned call is joined by nobody')
})

test('a signal that is looked at after the call was abandoned is aborted', async (t) => {
  const held = new HeldPlugin('held')
  const engine = await createEngine({ plugins: [held.plugin] })
  const asking = ask(engine, ['a'])
  asking.abandon(new Error('gone'))
  const error = (await t.throwsAsync(asking.results, { code: 'SE_ABORTED' })) as SecretsError
  t.is((error.cause as Error).message, 'gone')
  t.true(held.calls[0]?.context.signal.aborted)
  t.is((held.calls[0]?.context.signal.reason as Error).message, 'gone')
})

test('what comes as the caller leaves is wiped', async (t) => {
  for (let turns = 0; turns < 10; turns++) {
    const held = new HeldPlugin('held')
    const engine = await createEngine({ plugins: [held.plugin] })
    const leave = new AbortController()
    const asking = engine.getBatch(['a'], { signal: leave.signal }).catch(() => undefined)
    const secret = Secret.from('a', Buffer.from('v'))
    held.calls[0]?.answer([secret])
    for (let n = 0; n < turns; n++) await undefined
    leave.abort()
    const results = await asking
    await settled()
    t.is(secret.disposed, results === undefined, `after ${turns}`)
    secret.dispose()
  }
})

test('a batch that is abandoned after its results came is no longer the engine’s to wipe', async (t) => {
  const engine = await createEngine({
    plugins: [
      definePlugin({ name: 'p', version: 'v1.0.0', pattern: '**', getSecrets: () => [{ id: 'a', value: 'v' }] }),
    ],
  })
  const asking = ask(engine, ['a'])
  const [result] = await asking.results
  asking.abandon(new Error('late'))
  t.is(result?.secrets[0]?.text(), 'v')
})

test('who joins waits no longer than its own limit, and the others go on', async (t) => {
  const held = new HeldPlugin('held')
  const engine = await createEngine({ plugins: [held.plugin] })
  const patient = engine.getSecrets('a')
  await t.throwsAsync(engine.getSecrets('a', { timeoutMs: 1 }), { code: 'SE_TIMEOUT' })
  t.false(held.calls[0]?.context.signal.aborted)
  held.calls[0]?.answer([{ id: 'a', value: 'v' }])
  t.deepEqual(shown(await patient), ['a held'])
})

test('a failure is the failure of all who wait', async (t) => {
  const held = new HeldPlugin('held')
  const engine = await createEngine({ plugins: [held.plugin] })
  const asking = [engine.getSecrets('a'), engine.getSecrets('a')]
  held.calls[0]?.fail(new Error('boom'))
  for (const one of asking) await t.throwsAsync(one, { code: 'SE_PLUGIN_FAILURE', instanceOf: PluginError })
})

test('a plugin that answers at once is shared as well', async (t) => {
  let calls = 0
  const quick = definePlugin({
    name: 'quick',
    version: 'v1.0.0',
    pattern: '**',
    getSecrets: () => {
      calls++
      return [{ id: 'a', value: 'v' }]
    },
  })
  const engine = await createEngine({ plugins: [quick] })
  const answers = await Promise.all(Array.from({ length: 150 }, () => engine.getSecrets('a')))
  t.is(calls, 1)
  t.is(new Set(answers.flat()).size, 150)
})

// Requests for some of a few patterns come, leave, and calls end in any order: afterwards everybody who stayed has
// exactly what was asked for, readable, and everything else is wiped.
test('whoever comes and leaves in whatever order, those who stay have their secrets and nothing else lives', async (t) => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('ask' as const), patterns: fc.subarray(['a', 'b', 'c', '*'], { minLength: 1 }) }),
    fc.record({ kind: fc.constant('leave' as const), which: fc.nat() }),
    fc.record({ kind: fc.constant('answer' as const), which: fc.nat(), fails: fc.boolean() }),
  )
  const property = fc.asyncProperty(fc.boolean(), fc.array(step, { maxLength: 30 }), async (batch, steps) => {
    const held = new HeldPlugin('held', { batch })
    const engine = await createEngine({ plugins: [held.plugin] })
    const made: Secret[] = []
    const open = new Set<number>()
    const end = (index: number, fails: boolean): void => {
      open.delete(index)
      const call = held.calls[index]
      if (fails) return call?.fail(new Error('boom'))
      const ids = ['a', 'b', 'c'].filter((id) => call?.patterns.some((pattern) => pattern === id || pattern === '*'))
      const secrets = ids.map((id) => Secret.from(id, id))
      made.push(...secrets)
      call?.answer(secrets)
    }
    const asked: { patterns: string[]; asking: Asking }[] = []
    for (const one of steps) {
      const before = held.calls.length
      if (one.kind === 'ask') asked.push({ patterns: one.patterns, asking: ask(engine, one.patterns) })
      for (let n = before; n < held.calls.length; n++) open.add(n)
      const someone = one.kind === 'leave' ? asked[one.which % Math.max(asked.length, 1)] : undefined
      if (someone !== undefined) {
        someone.asking.results.catch(() => undefined)
        someone.asking.abandon(new Error('left'))
      }
      if (one.kind === 'answer' && open.size > 0) end([...open][one.which % open.size] as number, one.fails)
      await settled()
    }
    for (const index of [...open]) end(index, false)
    const alive = new Set<Secret>()
    for (const { patterns, asking } of asked) {
      const results = await asking.results.catch(() => [])
      results.forEach(({ secrets, outcomes }, row) => {
        const failed = outcomes[0]?.failure !== undefined
        const ids = patterns[row] === '*' ? ['a', 'b', 'c'] : [patterns[row]]
        t.deepEqual(
          secrets.map((secret) => secret.text()),
          failed ? [] : (ids as string[]),
        )
        for (const secret of secrets) alive.add(secret)
      })
      const mine = results.flatMap(({ secrets }) => secrets)
      t.is(new Set(mine).size, new Set(mine.map(({ id }) => id)).size, 'one object for each id')
    }
    await settled()
    for (const secret of made) t.is(secret.disposed, !alive.has(secret))
    for (const secret of alive) secret.dispose()
  })
  await fc.assert(property, { numRuns: 150 })
})
