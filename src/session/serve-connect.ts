// The serving side of a session: node:http over its streams, each of which carries one request. Only what holds no
// values goes through protobuf-es.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import {
  type DescMessage,
  fromBinary,
  fromJsonString,
  type MessageShape,
  toBinary,
  toJsonString,
} from '@bufbuild/protobuf'
import { createError, type SecretsError } from '../errors/secrets-error.js'
import { connectErrorBody } from '../wire/failure-detail.js'

/** What a body is written in. */
export type Form = 'json' | 'proto'

const MEDIA_TYPES: Readonly<Record<Form, string>> = { json: 'application/json', proto: 'application/proto' }

// Patterns and registrations are short.
const MAX_BODY_BYTES = 64 * 1024

/** One unary request. */
export interface Exchange {
  readonly form: Form
  /** The body; its bytes are not kept. */
  readonly body: Buffer
  /** Milliseconds that the caller waits, where it says so. */
  readonly timeoutMs: number | undefined
  readonly response: ServerResponse
}

/** Answers requests of one procedure. What it throws goes to the caller as a Connect error. */
export type Procedure = (exchange: Exchange) => void | Promise<void>

/**
 * A server that listens nowhere: `server.emit('connection', stream)` gives it each stream.
 * @param procedures - By path, such as `/plugins.v1.PluginService/Shutdown`.
 */
export function createConnectServer(procedures: ReadonlyMap<string, Procedure>): Server {
  const server = createServer({ keepAliveTimeout: 0, maxHeaderSize: 64 * 1024 }, (request, response) => {
    response.setHeader('Connection', 'close')
    if (request.url === '/health' && request.method === 'GET') {
      response.end('ok')
      return
    }
    serve(procedures.get(request.url ?? ''), request, response).catch((error: unknown) => sendError(response, error))
  })
  // What is no HTTP ends its stream only.
  server.on('clientError', (_error, socket) => socket.destroy())
  return server
}

async function serve(procedure: Procedure | undefined, request: IncomingMessage, response: ServerResponse) {
  if (procedure === undefined) throw refused('no such procedure')
  if (request.method !== 'POST') throw refused('not a POST request')
  const type = request.headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase()
  const form = type === MEDIA_TYPES.proto ? 'proto' : type === MEDIA_TYPES.json ? 'json' : undefined
  const encoding = request.headers['content-encoding'] ?? 'identity'
  if (form === undefined || encoding !== 'identity')
    throw refused('neither plain application/proto nor application/json')
  const limit = Number(request.headers['connect-timeout-ms'] ?? Number.NaN)
  const timeoutMs = limit >= 1 && limit <= 2 ** 31 - 1 ? limit : undefined
  await procedure({ form, body: await readBody(request), timeoutMs, response })
}

// By events: an iterator makes an error for each request, which nobody sees.
function readBody(request: IncomingMessage): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let length = 0
    request.on('data', (chunk: Buffer) => {
      length += chunk.length
      if (length > MAX_BODY_BYTES) {
        const limit = MAX_BODY_BYTES
        reject(createError('SE_LIMIT_EXCEEDED', `the request is larger than ${limit} bytes`, { details: { limit } }))
        chunks.length = 0
        request.pause()
      } else {
        chunks.push(chunk)
      }
    })
    request.once('end', () => resolve(Buffer.concat(chunks)))
    request.once('error', reject)
  })
}

/** Reads the message of a request. @throws `SE_INVALID_OPTION` when it is none. */
export function readMessage<Desc extends DescMessage>(schema: Desc, { form, body }: Exchange): MessageShape<Desc> {
  try {
    if (form === 'proto') return fromBinary(schema, body)
    return fromJsonString(schema, body.toString(), { ignoreUnknownFields: true })
  } catch (cause) {
    throw createError('SE_INVALID_OPTION', `the request is no ${schema.typeName}`, { cause })
  }
}

/** Answers with a message that holds no values. */
export function sendMessage<Desc extends DescMessage>(
  schema: Desc,
  message: MessageShape<Desc>,
  exchange: Exchange,
): void {
  const { form, response } = exchange
  sendBytes(exchange, form === 'proto' ? toBinary(schema, message) : Buffer.from(toJsonString(schema, message)))
  response.end()
}

/** Answers with bytes, and leaves the end of the response to the caller. */
export function sendBytes({ form, response }: Exchange, bytes: Uint8Array): void {
  response.writeHead(200, { 'Content-Type': MEDIA_TYPES[form], 'Content-Length': bytes.length })
  response.write(bytes)
}

function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy()
    return
  }
  const { status, body } = connectErrorBody(error)
  response.writeHead(status, { 'Content-Type': MEDIA_TYPES.json, 'Content-Length': Buffer.byteLength(body) })
  response.end(body)
}

function refused(what: string): SecretsError {
  return createError('SE_UNSUPPORTED', `a plugin session does not serve this request: ${what}`)
}
