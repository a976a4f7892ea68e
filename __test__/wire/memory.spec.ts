import { once } from 'node:events'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { Canary, canaryInMemory } from '../helpers/canary.js'
import { Steps } from '../helpers/steps.js'

const linux = process.platform === 'linux' ? test : test.skip

linux('a value that went over the wire is nowhere in memory after it was disposed', async (t) => {
  let received = ''
  const server = createServer(async (request, response) => {
    for await (const chunk of request) received += chunk
    response.end('{}')
  })
  const address = join(tmpdir(), `se-wire-${process.pid}.sock`)
  await once(server.listen(address), 'listening')
  const fixture = new Steps('wire-memory.ts', { args: [address] })
  t.teardown(async () => {
    server.close()
    await fixture.end()
  })
  const inverted = await fixture.next()
  const canary = new Canary(Buffer.from(Buffer.from(inverted, 'hex').map((byte) => byte ^ 0xff)).toString())
  t.not(canaryInMemory(canary, fixture.pid).length, 0, 'the scan finds a value that is alive')
  fixture.goOn()
  t.is(await fixture.next(), 'used')
  t.is(received, JSON.stringify({ passphrase: Buffer.from(canary.text).toString('base64') }))
  t.deepEqual(canaryInMemory(canary, fixture.pid, 'dumped'), [], 'a core would not have it')
  fixture.goOn()
  t.is(await fixture.next(), 'disposed')
  t.deepEqual(canaryInMemory(canary, fixture.pid), [])
})
