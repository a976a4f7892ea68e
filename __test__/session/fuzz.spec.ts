// Whatever a plugin writes into its streams, the engine's side refuses it or goes on.
import test from 'ava'
import fc from 'fast-check'
import { acceptSession } from '../../src/session/plugin-session.js'
import { YamuxSession } from '../../src/yamux/session.js'
import { answer, registered, TestPlugin } from '../helpers/plugin-session.js'
import { connectedPair, turn } from '../helpers/yamux.js'

const options = { seed: 4, numRuns: Number(process.env['SE_FUZZ_RUNS'] ?? 200) }

const head = fc.constantFrom(
  'POST /plugins.v1.RegisterService/RegisterPlugin HTTP/1.1\r\nHost: unix\r\n',
  'GET /health HTTP/1.1\r\nHost: unix\r\n',
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
)
const field = fc.constantFrom(
  'Content-Type: application/proto\r\n',
  'Content-Type: application/json\r\n',
  'Content-Length: 20\r\n',
  'Content-Length: 99999999999\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Expect: 100-continue\r\n',
  'Upgrade: tcp\r\nConnection: upgrade\r\n',
  `X: ${'y'.repeat(70_000)}\r\n`,
)
const request = fc
  .record({ head, fields: fc.array(field, { maxLength: 4 }), body: fc.uint8Array({ maxLength: 300 }) })
  .map(({ head, fields, body }) => Buffer.concat([Buffer.from(`${head}${fields.join('')}\r\n`), body]))
const bytes = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))

test('whatever comes on streams before a registration, the session ends in time', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.oneof(request, bytes), { maxLength: 20 }), async (inputs) => {
      const [here, there] = connectedPair()
      const accepted = acceptSession(here, { registrationTimeoutMs: 20 }).then(
        (session) => session.close(),
        () => undefined,
      )
      const plugin = new YamuxSession(there, 'client')
      let over = false
      void plugin.closed.then(() => {
        over = true
      })
      for (const input of inputs) {
        if (over) break
        const stream = plugin.open()
        stream.resume()
        stream.write(input)
        await turn()
      }
      await accepted
      await plugin.closed
    }),
    options,
  )
  t.pass()
})

test('whatever a plugin answers, the request fails or is answered, and the next is served', async (t) => {
  const { session, plugin } = await registered(t)
  const answers = fc.oneof(
    bytes,
    bytes.map((body) =>
      Buffer.concat([Buffer.from(`HTTP/1.1 200 OK\r\nContent-Type: application/proto\r\n\r\n`), body]),
    ),
  )
  await fc.assert(
    fc.asyncProperty(answers, fc.boolean(), async (bytes, reset) => {
      plugin.handler = (request) => {
        request.socket.write(bytes, () => (reset ? request.socket.destroy() : request.socket.end()))
      }
      await session.getSecrets('a/b').catch((error) => {
        if (!['SE_PLUGIN_FAILURE', 'SE_LIMIT_EXCEEDED', 'SE_VALUE_TOO_LARGE'].includes(error.code)) throw error
      })
      plugin.handler = (_request, response) => answer(response, [{ id: 'a/b' }])
      const [secret] = await session.getSecrets('a/b')
      if (secret?.id !== 'a/b') throw new Error('the next request was not served')
    }),
    options,
  )
  t.pass()
})

test('a plugin that registers, whatever it says, is accepted or told why', async (t) => {
  const text = fc.oneof(fc.string({ maxLength: 200 }), fc.constantFrom('x', 'v1.0.0', '**'))
  await fc.assert(
    fc.asyncProperty(text, text, text, async (name, version, pattern) => {
      const [here, there] = connectedPair()
      const accepted = acceptSession(here).then(
        (session) => {
          session.close()
          return 200
        },
        () => 400,
      )
      const plugin = new TestPlugin(there as never)
      const { status } = await plugin.register({
        name,
        version,
        metadata: { case: 'secretsProvider', value: { pattern } },
      })
      if (status !== (await accepted)) throw new Error(`it was told ${status}`)
    }),
    options,
  )
  t.pass()
})
