// A plugin written for a test, at the other end of a real Unix socket.
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer as createHttpServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { createConnection, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import type { ExecutionContext } from 'ava'
import { RegisterPluginRequestSchema } from '../../src/gen/plugins/v1/plugins_pb.js'
import { GetSecretsResponseSchema } from '../../src/gen/resolver/v1/resolver_pb.js'
import { type CallAnswer, call } from '../../src/session/call.js'
import { acceptSession, type PluginSession, type SessionOptions } from '../../src/session/plugin-session.js'
import { YamuxSession } from '../../src/yamux/session.js'

/** Both ends of a connection over a Unix socket: the engine's, then the plugin's. */
export async function socketPair(t: ExecutionContext): Promise<[Socket, Socket]> {
  const folder = mkdtempSync(join(tmpdir(), 'se-session-'))
  const server = createServer().listen(join(folder, 's'))
  await once(server, 'listening')
  const there = createConnection(join(folder, 's'))
  const [here] = (await once(server, 'connection')) as [Socket]
  t.teardown(() => {
    here.destroy()
    there.destroy()
    server.close()
    rmSync(folder, { recursive: true })
  })
  return [here, there]
}

/** How a plugin answers a request. */
export type Handler = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void

const PLUGIN = {
  name: 'test',
  version: 'v1.2.3',
  metadata: { case: 'secretsProvider', value: { pattern: 'a/**' } },
} as const

/** A plugin that answers as it is told. */
export class TestPlugin {
  readonly session: YamuxSession
  readonly socket: Socket
  handler: Handler

  constructor(socket: Socket, handler: Handler = () => {}) {
    this.socket = socket
    this.handler = handler
    const server = createHttpServer(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      this.handler(request, response, Buffer.concat(chunks))
    })
    this.session = new YamuxSession(socket, 'client', { onStream: (stream) => server.emit('connection', stream) })
  }

  /** Registers, and answers with what the engine says. */
  register(registration: MessageInitShape<typeof RegisterPluginRequestSchema> = PLUGIN): Promise<CallAnswer> {
    const message = create(RegisterPluginRequestSchema, registration)
    return this.send('application/proto', toBinary(RegisterPluginRequestSchema, message))
  }

  /** Registers with a body of its own. */
  send(contentType: string, body: Uint8Array): Promise<CallAnswer> {
    const path = '/plugins.v1.RegisterService/RegisterPlugin'
    return call(this.session, { what: 'registering', method: 'POST', path, contentType, body })
  }
}

/** A session whose plugin has registered. */
export async function registered(
  t: ExecutionContext,
  handler?: Handler,
  options: SessionOptions = {},
  registration?: MessageInitShape<typeof RegisterPluginRequestSchema>,
): Promise<{ session: PluginSession; plugin: TestPlugin; here: Socket }> {
  const [here, there] = await socketPair(t)
  const plugin = new TestPlugin(there, handler)
  const [session] = await Promise.all([acceptSession(here, options), plugin.register(registration)])
  return { session, plugin, here }
}

/** Answers with secrets. */
export function answer(
  response: ServerResponse,
  envelopes: MessageInitShape<typeof GetSecretsResponseSchema>['envelopes'],
) {
  response.setHeader('Content-Type', 'application/proto')
  response.end(toBinary(GetSecretsResponseSchema, create(GetSecretsResponseSchema, { envelopes: envelopes ?? [] })))
}

/** Answers with an error, as any Connect server writes it. */
export function fail(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, { 'Content-Type': 'application/json' })
  response.end(body)
}
