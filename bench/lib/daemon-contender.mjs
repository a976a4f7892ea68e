// One server of bench/daemon.mjs, in a process of its own: `node daemon-contender.mjs NAME SOCKET`. Tells its parent when it
// listens.
import { createServer } from 'node:http'
import { create } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError } from '@connectrpc/connect'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { createLog } from '../../dist/daemon/log.js'
import { createDaemonServer } from '../../dist/daemon/server.js'
import { GetSecretsResponse_EnvelopeSchema, ResolverService } from '../../dist/gen/resolver/v1/resolver_pb.js'
import { createEngine, definePlugin, Secret } from '../../dist/index.js'
import { native } from '../../dist/native/load.js'
import { encodeSecrets } from '../../dist/wire/body.js'

const AT = new Date('2026-11-25T20:00:00.123Z')
const VALUES = new Map(
  Array.from({ length: 100 }, (_, n) => [`bench/item/${n}`, Buffer.from(`value-${n}-of-32-bytes-or-so-long`)]),
)
const find = (id) => Secret.from(id, VALUES.get(id), { plugin: 'memory', resolvedAt: AT })

const contenders = {
  /** A bare node:http server: reads the body, and writes the right answer, which it knows already. */
  echo(socket) {
    const answers = Object.fromEntries(
      ['json', 'proto'].map((form) => [
        `application/${form}`,
        Buffer.from(encodeSecrets(form, [find('bench/item/7')]).bytes),
      ]),
    )
    createServer((request, response) => {
      request.on('data', () => {})
      request.on('end', () => {
        const type = request.headers['content-type']
        response.writeHead(200, { 'Content-Type': type, 'Content-Length': answers[type].length })
        response.end(answers[type])
      })
    }).listen(socket, listening)
  },
  /** connect-node's own handler. */
  connect(socket) {
    const unknown = timestampFromDate(new Date('0001-01-01T00:00:00Z'))
    const getSecrets = ({ pattern: id }) => {
      const value = VALUES.get(id)
      if (value === undefined) throw new ConnectError('secret not found', Code.NotFound)
      const times = { createdAt: unknown, resolvedAt: timestampFromDate(AT), expiresAt: unknown }
      return {
        envelopes: [
          create(GetSecretsResponse_EnvelopeSchema, { id, value, provider: 'memory', version: '', ...times }),
        ],
      }
    }
    const routes = (router) => router.service(ResolverService, { getSecrets })
    createServer(connectNodeAdapter({ routes, grpc: false, grpcWeb: false })).listen(socket, listening)
  },
  /** The daemon's server with a plugin in memory; its log goes nowhere, but is written. */
  async ours(socket) {
    const getSecrets = (pattern) => (VALUES.has(pattern.text) ? [find(pattern.text)] : [])
    const plugins = [definePlugin({ name: 'memory', version: 'v1.0.0', pattern: '**', getSecrets })]
    const server = createDaemonServer({
      engine: await createEngine({ plugins }),
      log: createLog({ write: async ({ length }) => length, close() {} }),
      describe: () => ({}),
      unlock: async () => {},
      lock: async () => {},
      onHijack: (one) => one.destroy(),
      allowedUids: [process.getuid()],
    })
    server.listen(native().listenUnix(socket).value)
    listening()
  },
}

function listening() {
  process.send('listening')
}

await contenders[process.argv[2]](process.argv[3])
process.on('disconnect', () => process.exit())
