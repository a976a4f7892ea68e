// Requests to a daemon as any program sends them: HTTP over its Unix socket, without a client of ours.
import { type Agent, type IncomingHttpHeaders, request } from 'node:http'
import { createConnection, type Socket } from 'node:net'

/** What a daemon answered. */
export interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
  /** The body as JSON. */
  json<T>(): T
}

/** A secret as JSON. */
export interface JsonEnvelope {
  readonly id: string
  readonly value?: string
  readonly provider: string
  readonly version: string
  readonly createdAt: string
  readonly resolvedAt: string
  readonly expiresAt: string
  readonly metadata?: Record<string, string>
}

/** A Connect error. */
export interface JsonError {
  readonly code: string
  readonly message: string
}

/** Sends one request, by POST where it has a body. */
export function ask(
  socketPath: string,
  path: string,
  { body, headers = {}, agent }: { body?: string | Uint8Array; headers?: Record<string, string>; agent?: Agent } = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const method = body === undefined ? 'GET' : 'POST'
    const type = body === undefined ? {} : { 'content-type': 'application/json' }
    const sent = request(
      { socketPath, path, method, headers: { host: 'unix', ...type, ...headers }, agent },
      (reply) => {
        const chunks: Buffer[] = []
        reply.on('data', (chunk: Buffer) => chunks.push(chunk))
        reply.on('error', reject)
        reply.on('end', () => {
          const all = Buffer.concat(chunks)
          resolve({
            status: reply.statusCode ?? 0,
            headers: reply.headers,
            body: all,
            json: <T>() => JSON.parse(all.toString()) as T,
          })
        })
      },
    )
    sent.on('error', reject)
    sent.end(body)
  })
}

/** The procedure that reads secrets. */
export const GET_SECRETS = '/resolver.v1.ResolverService/GetSecrets'

/** Asks for a pattern, in JSON. */
export function getSecrets(socketPath: string, pattern: string, agent?: Agent): Promise<Reply> {
  return ask(socketPath, GET_SECRETS, { body: JSON.stringify({ pattern }), ...(agent === undefined ? {} : { agent }) })
}

/** Connects, writes bytes as they are, and answers with all that comes until the other side closes. */
export function exchange(socketPath: string, bytes: string | Uint8Array, { end = false } = {}): Promise<Buffer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = []
    const socket = createConnection(socketPath)
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.on('error', () => {}) // being cut off is one of the answers
    socket.on('close', () => resolve(Buffer.concat(chunks)))
    if (end) socket.end(bytes)
    else socket.write(bytes)
  })
}

/** Connects, and takes over the connection as a plugin does. */
export function hijack(socketPath: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = createConnection(socketPath)
    socket.write(
      'GET /hijack HTTP/1.1\r\nHost: secrets-engine.localhost\r\nConnection: upgrade\r\nUpgrade: tcp\r\n\r\n',
    )
    let head = ''
    const take = (chunk: Buffer): void => {
      head += chunk.toString('latin1')
      const end = head.indexOf('\r\n\r\n')
      if (end < 0) return
      socket.off('data', take)
      const rest = Buffer.from(head.slice(end + 4), 'latin1')
      if (rest.length > 0) socket.unshift(rest)
      if (/^HTTP\/1\.1 101 /.test(head)) resolve(socket)
      else reject(new Error(`refused: ${head}`))
    }
    socket.on('data', take)
    socket.once('error', reject)
  })
}
