import test from 'ava'
import { readConfig } from '../../src/config/config.js'
import { HeldStore } from '../../src/daemon/held-store.js'
import { PLUGIN_TIMEOUT_MS } from '../../src/engine/plugin-limits.js'
import { native } from '../../src/native/load.js'
import type { NativeStore } from '../../src/native/store.js'
import { parsePattern } from '../../src/pattern.js'
import { TestClock } from '../helpers/plugin-host.js'

const config = (store: string) =>
  readConfig({ HOME: '/nowhere', XDG_CONFIG_HOME: '/nowhere', XDG_DATA_HOME: '/nowhere', SE_STORE: store })

/** A store over a keychain that hangs as it is opened, which a request waits for. */
async function hanging() {
  const binding = native()
  const before = binding.openKeychainStore
  let begun: () => void = () => {}
  let closed = false
  const opening = new Promise<void>((resolve) => {
    begun = resolve
  })
  let answer: () => void = () => {}
  binding.openKeychainStore = () => {
    binding.openKeychainStore = before
    begun()
    return new Promise((resolve) => {
      answer = () => resolve({ value: { close: () => (closed = true) } as unknown as NativeStore })
    })
  }
  const clock = new TestClock()
  const store = await HeldStore.create(await config('keychain'), clock)
  const context = { signal: new AbortController().signal, times: false } as never
  const asked = Promise.resolve(store.plugin.getSecrets(parsePattern('a/b'), context))
  asked.catch(() => {})
  await opening
  return { store, clock, answer: () => answer(), isClosed: () => closed }
}

test.serial(
  'a keychain that hangs as it is opened holds the lock up for as long as a plugin may take, and it says so',
  async (t) => {
    const { store, clock } = await hanging()
    const locked = store.lock()
    t.deepEqual(clock.waits, [PLUGIN_TIMEOUT_MS])
    clock.advance(PLUGIN_TIMEOUT_MS)
    const error = await t.throwsAsync(locked, { code: 'SE_STORE_UNAVAILABLE' })
    t.is(error.message, 'the store does not answer: what waits for it could not be ended within 10 s')
  },
)

test.serial('a keychain that answers in time is closed, and the lock is done', async (t) => {
  const { store, clock, answer, isClosed } = await hanging()
  const locked = store.lock()
  t.false(isClosed())
  answer()
  await locked
  t.true(isClosed())
  t.deepEqual(clock.waits, [], 'nothing is waited for')
})

test.serial(
  'another store is used at once where the one before hangs, and that is closed when it answers',
  async (t) => {
    const { store, answer, isClosed } = await hanging()
    await store.reconfigure(await config('file'))
    t.is(store.place.kind, 'file')
    t.false(isClosed())
    answer()
    await new Promise((resolve) => setImmediate(resolve))
    t.true(isClosed())
  },
)

test.serial('a keychain that hangs does not keep the daemon from ending', async (t) => {
  const { store, clock } = await hanging()
  const ended = store.plugin.close?.()
  clock.advance(PLUGIN_TIMEOUT_MS)
  await ended
  t.pass()
})
