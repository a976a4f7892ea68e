import test from 'ava'
import { GiveBack } from '../../src/daemon/give-back.js'
import { giveMemoryBack } from '../../src/native/process.js'
import { TestClock, TestLog } from '../helpers/plugin-host.js'

const MB = 1e6

/** A daemon of which 50 MB stay resident, whatever it has done. */
function daemon() {
  const clock = new TestClock()
  const state = { resident: 60 * MB, requests: 0, times: 0 }
  const memory = {
    residentBytes: () => state.resident,
    giveBack() {
      state.times += 1
      state.resident = 50 * MB
    },
  }
  const log = new TestLog()
  const watch = new GiveBack(() => state.requests > 0, log, clock, memory)
  return { clock, state, log, watch }
}

/** Lets the time go by that nobody asks, and that between the two collections. */
function quiet(clock: TestClock): void {
  clock.advance(10_000)
  clock.advance(100)
}

test('what the start took is given back when nobody has asked for ten seconds, and nothing after that', (t) => {
  const { clock, state } = daemon()
  clock.advance(9_999)
  t.is(state.times, 0)
  clock.advance(1)
  t.is(state.times, 1)
  clock.advance(100)
  t.is(state.times, 2)
  t.deepEqual(clock.waits, [])
})

test('after work memory is given back again, ten seconds after the last request', (t) => {
  const { clock, state, log, watch } = daemon()
  quiet(clock)
  state.resident = 120 * MB
  for (let n = 0; n < 5; n++) {
    watch.touch()
    clock.advance(9_999)
  }
  t.is(state.times, 2)
  quiet(clock)
  t.is(state.times, 4)
  t.deepEqual(
    log.lines.map(({ facts }) => facts),
    [
      { beforeBytes: 60 * MB, afterBytes: 50 * MB },
      { beforeBytes: 120 * MB, afterBytes: 50 * MB },
    ],
  )
})

test('nothing is collected while a request is under way', (t) => {
  const { clock, state } = daemon()
  state.requests = 1
  clock.advance(10_000)
  clock.advance(10_000)
  t.is(state.times, 0)
  state.requests = 0
  quiet(clock)
  t.is(state.times, 2)
})

test('a request that comes between the two collections is not held up by the second, which comes later', (t) => {
  for (const ask of [
    ({ watch }: ReturnType<typeof daemon>) => watch.touch(),
    ({ state }: ReturnType<typeof daemon>) => {
      state.requests = 1
    },
  ]) {
    const one = daemon()
    one.clock.advance(10_000)
    ask(one)
    one.clock.advance(100)
    t.is(one.state.times, 1)
    one.state.requests = 0
    one.watch.touch()
    quiet(one.clock)
    t.is(one.state.times, 3)
  }
})

test('what few requests take is not worth a collection, unless it adds up', (t) => {
  const { clock, state, watch } = daemon()
  quiet(clock)
  for (let n = 0; n < 4; n++) {
    state.resident += MB
    watch.touch()
    quiet(clock)
    t.is(state.times, 2)
  }
  state.resident += MB
  watch.touch()
  quiet(clock)
  t.is(state.times, 4)
})

test('one that has stopped gives nothing back', (t) => {
  const { clock, state, watch } = daemon()
  watch.stop()
  quiet(clock)
  t.is(state.times, 0)
})

test('giving memory back collects garbage, and V8 knows of no more native memory than before', async (t) => {
  const garbage = (() => new WeakRef({ is: 'garbage' }))()
  // A reference that was made or read stays until the end of the turn.
  await new Promise(setImmediate)
  const before = process.memoryUsage().external
  giveMemoryBack()
  await new Promise(setImmediate)
  t.is(garbage.deref(), undefined)
  t.true(process.memoryUsage().external < before + MB)
})
