import { getEventListeners } from 'node:events'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { AccessError, openStore, resolve, Secret, type SecretsError, type Store, StoreError } from '../src/index.js'
import { native } from '../src/native/load.js'
import { unwrap } from '../src/native/outcome.js'
import { handleFrom } from '../src/secret.js'
import { Canary, createTestEngine, createTestStore } from '../src/testing/index.js'
import { canaryInFiles } from './helpers/canary.js'

type Open = (t: ExecutionContext) => Promise<Store>

function folder(t: ExecutionContext): string {
  const path = mkdtempSync(join(tmpdir(), 'se-store-'))
  t.teardown(() => rmSync(path, { recursive: true }))
  return path
}

const stores: Record<string, Open> = {
  memory: () => openStore({ kind: 'memory' }),
  file: (t) => openStore({ kind: 'file', path: join(folder(t), 'store.age'), create: true }),
}

for (const [kind, open] of Object.entries(stores)) {
  test(`${kind}: what is set is got, with its facts`, async (t) => {
    const store = await open(t)
    const before = Date.now() - 1000
    await store.set('team/db/password', 'pässword', { metadata: { owner: 'me' } })
    const secret = await store.get('team/db/password')
    t.is(secret.text(), 'pässword')
    t.is(secret.id, 'team/db/password')
    t.deepEqual(secret.metadata, { owner: 'me' })
    t.true((secret.createdAt as Date).getTime() >= before)
    t.true(secret.resolvedAt instanceof Date)
    t.is(secret.plugin, undefined)
    store.close()
  })

  test(`${kind}: metadata may have any key`, async (t) => {
    const store = await open(t)
    const metadata = JSON.parse('{"__proto__":"a","constructor":"b","toString":"c","":"d","ü 1":"e","0":"f"}')
    await store.set('a', 'x', { metadata })
    const { metadata: got } = await store.get('a')
    await store.set('b', 'x', { metadata: got })
    const [copied] = await store.getMany(['b'])
    const [, listed] = await store.list()
    for (const facts of [got, (copied as Secret).metadata, listed?.metadata ?? {}]) {
      t.deepEqual(Object.entries(facts).sort(), Object.entries(metadata).sort())
      t.is(Object.getPrototypeOf(facts), Object.prototype)
    }
    t.is(Object.getPrototypeOf({}), Object.prototype)
  })

  test(`${kind}: a value may be bytes, a text or a secret, and empty`, async (t) => {
    const store = await open(t)
    const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte)
    const secret = Secret.from('x', 'text')
    const setting = store.setMany([
      { id: 'a', value: bytes },
      { id: 'b', value: 'text' },
      { id: 'c', value: secret },
      { id: 'd', value: '' },
    ])
    // They were copied before the call returned.
    bytes.fill(7)
    secret.dispose()
    await setting
    const values = await store.getMany(['d', 'a', 'b', 'c', 'a', 'missing'])
    t.deepEqual(
      values.map((value) => [value.id, Buffer.from(value.bytes()).toString('hex')]),
      [
        ['a', Buffer.from(Uint8Array.from({ length: 256 }, (_, byte) => byte)).toString('hex')],
        ['b', Buffer.from('text').toString('hex')],
        ['c', Buffer.from('text').toString('hex')],
        ['d', ''],
      ],
    )
    store.close()
  })

  test(`${kind}: patterns choose, in the order of ids`, async (t) => {
    const store = await open(t)
    await store.setMany(['b/2', 'a/1', 'b/10', 'B'].map((id) => ({ id, value: id })))
    t.deepEqual(
      (await store.getMany('b/*')).map((secret) => secret.text()),
      ['b/10', 'b/2'],
    )
    t.deepEqual(
      (await store.list()).map(({ id }) => id),
      ['B', 'a/1', 'b/10', 'b/2'],
    )
    t.deepEqual(await store.list('nothing/**'), [])
    t.deepEqual(await store.getMany('nothing/**'), [])
    t.deepEqual(await store.getMany([]), [])
    store.close()
  })

  test(`${kind}: an id that is taken is refused with SE_EXISTS, and nothing of the call is written`, async (t) => {
    const store = await open(t)
    await store.set('a', 'old')
    const entries = [
      { id: 'b', value: 'new' },
      { id: 'a', value: 'new' },
    ]
    const error = await t.throwsAsync(store.setMany(entries), { code: 'SE_EXISTS' })
    t.is((error as SecretsError).hint, 'replace it with `overwrite: true`')
    t.true(error instanceof StoreError)
    t.deepEqual((error as SecretsError).details, { id: 'a' })
    t.deepEqual(
      (await store.getMany('**')).map((secret) => secret.text()),
      ['old'],
    )
    await store.setMany(entries, { overwrite: true })
    t.deepEqual(
      (await store.getMany('**')).map((secret) => secret.text()),
      ['new', 'new'],
    )
    store.close()
  })

  test(`${kind}: an id twice in one call is refused with SE_INVALID_OPTION`, async (t) => {
    const store = await open(t)
    const entries = ['a', 'a'].map((id) => ({ id, value: 'x' }))
    await t.throwsAsync(store.setMany(entries, { overwrite: true }), { code: 'SE_INVALID_OPTION' })
    t.deepEqual(await store.list(), [])
    store.close()
  })

  test(`${kind}: what is not there is SE_NOT_FOUND, whatever is done with it`, async (t) => {
    const store = await open(t)
    await store.set('a', 'x')
    for (const work of [() => store.get('b'), () => store.delete('b'), () => store.rename('b', 'c')]) {
      const error = await t.throwsAsync(work, { code: 'SE_NOT_FOUND', name: 'NotFoundError' })
      t.deepEqual((error as SecretsError).details, { id: 'b' })
    }
    store.close()
  })

  test(`${kind}: delete removes, rename moves and refuses what is taken`, async (t) => {
    const store = await open(t)
    await store.setMany(['a', 'b'].map((id) => ({ id, value: id, metadata: { was: id } })))
    await t.throwsAsync(store.rename('a', 'b'), { code: 'SE_EXISTS' })
    await store.rename('a', 'b', { overwrite: true })
    const moved = await store.get('b')
    t.is(moved.text(), 'a')
    t.deepEqual(moved.metadata, { was: 'a' })
    await store.rename('b', 'b')
    await store.delete('b')
    t.deepEqual(await store.list(), [])
    store.close()
  })

  test(`${kind}: a text that is no id or pattern is refused, and nothing is written`, async (t) => {
    const store = await open(t)
    for (const id of ['', 'a//b', '/a', 'a/', 'a b', 'a/*', 'ä', '../a'.repeat(2000)]) {
      for (const work of [
        () => store.get(id),
        () => store.set(id, 'x'),
        () => store.delete(id),
        () => store.rename(id, 'b'),
        () => store.getMany([id]),
      ]) {
        const error = await t.throwsAsync(work, { code: 'SE_INVALID_ID' })
        t.true((error?.message.length as number) < 300)
      }
    }
    for (const pattern of ['', 'a**', '***', 'a//b']) {
      await t.throwsAsync(store.list(pattern), { code: 'SE_INVALID_PATTERN' })
      await t.throwsAsync(store.getMany(pattern), { code: 'SE_INVALID_PATTERN' })
    }
    t.deepEqual(await store.list(), [])
    store.close()
  })

  test(`${kind}: a value above 16 MiB and metadata above 64 KiB are refused with SE_VALUE_TOO_LARGE`, async (t) => {
    const store = await open(t)
    await t.throwsAsync(store.set('a', new Uint8Array((16 << 20) + 1)), { code: 'SE_VALUE_TOO_LARGE' })
    await t.throwsAsync(store.set('a', 'x', { metadata: { note: 'x'.repeat(65_537) } }), { code: 'SE_VALUE_TOO_LARGE' })
    t.deepEqual(await store.list(), [])
    store.close()
  })

  test(`${kind}: many operations at once all succeed`, async (t) => {
    const store = await open(t)
    const ids = Array.from({ length: 20 }, (_, index) => `many/${index}`)
    await Promise.all(ids.map((id) => store.set(id, id)))
    const values = await Promise.all(ids.map((id) => store.get(id)))
    t.deepEqual(
      values.map((secret) => secret.text()),
      ids,
    )
    store.close()
  })

  test(`${kind}: says what it is, and after close only that it was closed`, async (t) => {
    const store = await open(t)
    const description = await store.describe()
    t.is(description.kind, kind as 'memory' | 'file')
    t.is(description.maxValueBytes, 16 << 20)
    t.is(description.survivesReboot, kind === 'file')
    store.close()
    store.close()
    const calls = [
      () => store.get('a'),
      () => store.getMany('**'),
      () => store.list(),
      () => store.set('a', 'b'),
      () => store.delete('a'),
      () => store.rename('a', 'b'),
      () => store.describe(),
    ]
    for (const call of calls) {
      await t.throwsAsync(call, { code: 'SE_DISPOSED' })
    }
  })
}

test('file: one that is not there is SE_STORE_UNAVAILABLE unless it is to be made', async (t) => {
  const path = join(folder(t), 'store.age')
  const opening = openStore({ kind: 'file', path }).then((store) => store.list())
  await t.throwsAsync(opening, { code: 'SE_STORE_UNAVAILABLE' })
  const made = await openStore({ kind: 'file', path, create: true })
  await made.set('a', 'x')
  const again = await openStore({ kind: 'file', path, create: true })
  t.is((await again.get('a')).text(), 'x')
  t.is(statSync(path).mode & 0o777, 0o600)
})

test('file: a passphrase is asked for when it is needed, once for all that wait', async (t) => {
  const place = folder(t)
  const path = join(place, 'store.age')
  const canary = Canary.random()
  const made = await openStore({ kind: 'file', path, create: true, passphrase: canary.text })
  await made.set('a', canary.bytes)
  made.close()
  t.deepEqual(canaryInFiles(canary, place), [])
  let asked = 0
  const passphrase = (): Secret => {
    asked += 1
    return Secret.from('passphrase', canary.text)
  }
  const store = await openStore({ kind: 'file', path, passphrase })
  t.is(asked, 0)
  const both = await Promise.all([store.get('a'), store.get('a')])
  t.true(both.every((secret) => secret.equals(canary.bytes)))
  t.is(asked, 1)
})

test('file: after a wrong passphrase the next operation asks again', async (t) => {
  const path = join(folder(t), 'store.age')
  const made = await openStore({ kind: 'file', path, create: true, passphrase: 'right' })
  await made.set('a', 'x')
  const answers = ['wrong', 'wrong too', 'right', 'never asked for']
  let asked = 0
  const store = await openStore({ kind: 'file', path, passphrase: () => answers[asked++] as string })
  for (const expected of [1, 2]) {
    const waiting = await Promise.allSettled([store.get('a'), store.list(), store.set('b', 'y')])
    for (const one of waiting) t.like(one, { status: 'rejected', reason: { code: 'SE_WRONG_KEY' } })
    t.is(asked, expected)
  }
  const [a, list] = await Promise.all([store.get('a'), store.list()])
  t.is(a.text(), 'x')
  t.is(list.length, 1)
  await store.set('b', 'y')
  t.is(asked, 3)
})

test('file: a source is asked as often as it says, and told how many answers were wrong', async (t) => {
  const path = join(folder(t), 'store.age')
  const made = await openStore({ kind: 'file', path, create: true, passphrase: 'right' })
  await made.set('a', 'x')
  const answers = ['wrong', 'wrong too', 'right']
  const asked: number[] = []
  const ask = (wrong: number): string => answers[asked.push(wrong) - 1] as string
  const twice = await openStore({ kind: 'file', path, passphrase: { ask, tries: 2, hint: 'look at the note' } })
  const both = await Promise.allSettled([twice.get('a'), twice.list()])
  for (const one of both) {
    t.like(one, { status: 'rejected', reason: { code: 'SE_WRONG_KEY', hint: 'look at the note' } })
  }
  t.deepEqual(asked.splice(0), [0, 1])
  const often = await openStore({ kind: 'file', path, passphrase: { ask, tries: 3, hint: '' } })
  t.is((await often.get('a')).text(), 'x')
  t.deepEqual(asked, [0, 1, 2])
})

test('file: a store that is not there is named, and how to make it', async (t) => {
  const path = join(folder(t), 'none/store.age')
  t.like(await t.throwsAsync(openStore({ kind: 'file', path })), {
    code: 'SE_STORE_UNAVAILABLE',
    message: `the encrypted file ${path} is not there`,
    hint: 'make a new one with `create: true`, or put it and its key back from a backup',
  })
})

test('file: a passphrase that another process has changed is asked for again', async (t) => {
  const path = join(folder(t), 'store.age')
  const made = await openStore({ kind: 'file', path, create: true, passphrase: 'first' })
  await made.set('a', 'x')
  let current = 'first'
  const store = await openStore({ kind: 'file', path, passphrase: () => current })
  t.is((await store.get('a')).text(), 'x')
  const identity = join(path, '../identity.age')
  const keys = { known: handleFrom('first'), next: handleFrom('second') }
  unwrap(await native().changeStorePassphrase(path, identity, keys.known, keys.next))
  unwrap(await native().rotateStoreKey(path, identity, keys.next))
  await t.throwsAsync(store.get('a'), { code: 'SE_WRONG_KEY' })
  current = 'second'
  t.is((await store.get('a')).text(), 'x')
})

test('file: a store and a key at one path are refused, and nothing is made', async (t) => {
  const place = folder(t)
  const path = join(place, 'x')
  for (const identity of [path, join(place, 'new/../x')]) {
    const error = await t.throwsAsync(openStore({ kind: 'file', path, identity, create: true }), {
      code: 'SE_INVALID_OPTION',
    })
    t.truthy((error as SecretsError).hint)
  }
  t.deepEqual(readdirSync(place), [])
})

test('file: without a passphrase that is needed the answer is SE_INTERACTION_REQUIRED, with a wrong one SE_WRONG_KEY', async (t) => {
  const path = join(folder(t), 'store.age')
  const made = await openStore({ kind: 'file', path, create: true, passphrase: 'right' })
  await made.set('a', 'x')
  const none = await openStore({ kind: 'file', path })
  const needed = await t.throwsAsync(none.get('a'), { code: 'SE_INTERACTION_REQUIRED', instanceOf: AccessError })
  const identity = join(path, '../identity.age')
  t.is(needed.message, `the key in ${identity} needs a passphrase`)
  t.regex((needed as AccessError).hint ?? '', /the option `passphrase`/)
  const wrong = await openStore({ kind: 'file', path, passphrase: 'wrong' })
  t.like(await t.throwsAsync(wrong.get('a')), {
    code: 'SE_WRONG_KEY',
    hint: 'it came from the option `passphrase`',
    details: { identity },
  })
  const dismissed = new Error('dismissed')
  const asking = await openStore({ kind: 'file', path, passphrase: () => Promise.reject(dismissed) })
  t.is(await t.throwsAsync(asking.get('a')), dismissed)
})

test('a kind that does not exist is SE_INVALID_OPTION', async (t) => {
  await t.throwsAsync(openStore({ kind: 'vault' as never }), { code: 'SE_INVALID_OPTION' })
})

test('a test that asks for what there is not is told so', async (t) => {
  const { faults } = await createTestStore()
  t.throws(() => faults.fail('remove' as never, 'SE_LOCKED'), { message: /there are get, getMany/ })
  t.throws(() => faults.hold('remove' as never), { instanceOf: TypeError })
  t.throws(() => faults.fail('get', 'SE_LOKED' as never), { instanceOf: TypeError })
})

test('a failure that a test asks for comes as often as it asked', async (t) => {
  const { store, faults } = await createTestStore({ a: 'x' })
  faults.fail('get', 'SE_LOCKED', 1)
  await t.throwsAsync(store.get('a'), { code: 'SE_LOCKED', instanceOf: AccessError })
  t.is((await store.get('a')).text(), 'x')
  faults.fail('set', 'SE_STORE_FAILURE')
  await t.throwsAsync(store.set('b', 'y'), { code: 'SE_STORE_FAILURE' })
  await t.throwsAsync(store.set('b', 'y'), { code: 'SE_STORE_FAILURE' })
  faults.clear()
  await store.set('b', 'y')
  t.deepEqual(faults.calls, ['get', 'get', 'set', 'set', 'set'])
})

test('abort stops the waiting, says what was abandoned, and leaves the work to finish', async (t) => {
  const { store, faults } = await createTestStore()
  const release = faults.hold('set')
  const controller = new AbortController()
  const reason = new Error('the user left')
  const setting = store.set('a', 'x', { signal: controller.signal })
  controller.abort(reason)
  const error = (await t.throwsAsync(setting, { code: 'SE_ABORTED' })) as SecretsError
  t.deepEqual(error.details, { abandoned: 'writing a', begun: true })
  t.is(error.cause, reason)
  t.deepEqual(await store.list(), [])
  release()
  while ((await store.list()).length === 0) await new Promise(setImmediate)
  t.is((await store.get('a')).text(), 'x')
})

test('what was aborted before is not begun', async (t) => {
  const { store, faults } = await createTestStore()
  const error = await t.throwsAsync(store.get('a', { signal: AbortSignal.abort() }), { code: 'SE_ABORTED' })
  t.deepEqual((error as SecretsError).details, { abandoned: 'reading a', begun: false })
  t.deepEqual(faults.calls, [])
})

test('a time limit ends the waiting with SE_TIMEOUT, and the value that comes later is wiped', async (t) => {
  const { store, faults } = await createTestStore({ a: 'x' })
  const release = faults.hold('get')
  const error = await t.throwsAsync(store.get('a', { timeoutMs: 1 }), { code: 'SE_TIMEOUT' })
  t.deepEqual((error as SecretsError).details, { abandoned: 'reading a', timeoutMs: 1 })
  release()
  t.is((await store.get('a', { timeoutMs: 60_000 })).text(), 'x')
})

test('the time limit that a store was opened with is that of operations that name none', async (t) => {
  const file = { kind: 'file', path: join(folder(t), 'store.age'), passphrase: 'correct horse' } as const
  await openStore({ ...file, create: true })
  using store = await openStore({ ...file, timeoutMs: 300 }) // to open such a key takes most of a second
  const error = await t.throwsAsync(store.list(), { code: 'SE_TIMEOUT' })
  t.deepEqual((error as SecretsError).details, { abandoned: 'listing **', timeoutMs: 300 })
  t.deepEqual(await store.list('**', { timeoutMs: 60_000 }), [])
})

test('a time limit that is none is SE_INVALID_OPTION', async (t) => {
  const { store } = await createTestStore()
  for (const timeoutMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 31]) {
    await t.throwsAsync(store.get('a', { timeoutMs }), { code: 'SE_INVALID_OPTION' })
  }
})

test('one signal serves any number of operations, without a warning', async (t) => {
  const warnings: Error[] = []
  const warn = (warning: Error): void => void warnings.push(warning)
  process.on('warning', warn)
  const { store } = await createTestStore({ a: 'x' })
  const { signal } = new AbortController()
  await Promise.all(Array.from({ length: 50 }, () => store.get('a', { signal })))
  await new Promise(setImmediate)
  process.off('warning', warn)
  t.deepEqual(warnings, [])
})

test('who waits no more listens no more to a signal', async (t) => {
  const { signal } = new AbortController()
  const { engine, store } = await createTestEngine({ a: 'x' })
  await Promise.all([store.get('a', { signal }), store.list('**', { signal }), resolve('se://a', { engine, signal })])
  t.deepEqual(getEventListeners(signal, 'abort'), [])
})
