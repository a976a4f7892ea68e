// The daemon's server of the installed package. It reaches for two things that Node does not document (the descriptor of a
// socket, node:http's own listener for connections), so each Node.js that this project runs on must have them.
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createEngine, definePlugin } from 'se-native'
import { createDaemonServer } from './node_modules/se-native/dist/daemon/server.js'
import { native } from './node_modules/se-native/dist/native/load.js'

if (process.platform === 'win32') process.exit()

const folder = mkdtempSync(join(tmpdir(), 'se-package-'))
const path = join(folder, 'daemon.sock')
const requests = []
const plugin = { name: 'p', version: 'v1.0.0', pattern: '**', getSecrets: ({ text }) => [{ id: text, value: 'v' }] }
const engine = await createEngine({ plugins: [definePlugin(plugin)] })
const server = createDaemonServer({
  engine,
  log: { request: (entry) => requests.push(entry), event() {} },
  describe: () => ({}),
  unlock: async () => {},
  lock: async () => {},
  onHijack: (socket) => socket.destroy(),
  allowedUids: [process.getuid()],
  limits: { headersTimeoutMs: 1000, requestTimeoutMs: 2000 },
})
server.listen(native().listenUnix(path).value)

async function ask(headers, end) {
  const socket = connect(path)
  const type = 'Content-Type: application/json'
  const body = '{"pattern":"a/b"}'
  const first = 'POST /resolver.v1.ResolverService/GetSecrets HTTP/1.1'
  socket.write(
    [first, 'Host: x', type, ...headers, `Content-Length: ${body.length}`, '', body].join('\r\n').slice(0, end),
  )
  let text = ''
  for await (const chunk of socket) {
    text += chunk
    if (/\}\]\}$/.test(text)) break
  }
  return text
}

// Past node:http, through node:http, and a request that does not come to its end.
assert.match(await ask([]), /^HTTP\/1.1 200 OK[^]*"id":"a\/b"/)
assert.match(await ask(['X-Other: 1']), /^HTTP\/1.1 200 OK[^]*"id":"a\/b"/)
assert.match(await ask([], 60), /^HTTP\/1.1 408 [^]*resource_exhausted/)
assert.equal(requests.length, 2)
if (process.platform === 'linux') for (const { requester } of requests) assert.equal(requester.pid, process.pid)

// A user who is not let in.
const strict = createDaemonServer({
  engine,
  log: { request() {}, event() {} },
  allowedUids: [process.getuid() + 1],
})
const other = join(folder, 'other.sock')
strict.listen(native().listenUnix(other).value)
const refused = connect(other)
refused.on('error', () => {})
await once(refused, 'close')
assert.equal(refused.bytesRead, 0)

await server.close()
await strict.close()
await engine.close()
rmSync(folder, { recursive: true })
