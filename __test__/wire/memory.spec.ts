import test from 'ava'
import { Canary, canaryInMemory } from '../helpers/canary.js'
import { Steps } from '../helpers/steps.js'

const linux = process.platform === 'linux' ? test : test.skip

linux('a value that went over the wire is nowhere in memory after it was disposed', async (t) => {
  const fixture = new Steps('wire-memory.ts')
  t.teardown(() => fixture.end())
  const inverted = await fixture.next()
  const canary = new Canary(Buffer.from(Buffer.from(inverted, 'hex').map((byte) => byte ^ 0xff)).toString())
  t.not(canaryInMemory(canary, fixture.pid).length, 0, 'the scan finds a value that is alive')
  fixture.goOn()
  t.is(await fixture.next(), 'used')
  t.deepEqual(canaryInMemory(canary, fixture.pid, 'dumped'), [], 'a core would not have it')
  fixture.goOn()
  t.is(await fixture.next(), 'disposed')
  t.deepEqual(canaryInMemory(canary, fixture.pid), [])
})
