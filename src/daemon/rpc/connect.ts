// RPCs through Connect's own handlers: Authorize, and all requests that are written in an unusual way. Loaded with the first
// of them. Connect never sees a value: an implementation of GetSecrets answers it with an empty message, and the body is
// written natively in its place.
import { type ConnectRouter, createConnectRouter, createContextValues } from '@connectrpc/connect'
import type { UniversalHandler } from '@connectrpc/connect/protocol'
import { compressionBrotli, compressionGzip } from '@connectrpc/connect-node'
import { answerSecrets } from './answer-secrets.js'
import type { Served } from './dispatch.js'
import type { HttpCall } from './http-call.js'
import { PASSAGE, type Passage } from './passage.js'
import { routeServices } from './services.js'

/** Answers a request by Connect's handlers. */
export async function answerThroughConnect(served: Served, call: HttpCall, body: Buffer): Promise<void> {
  const handler = handlersOf(served, call.host.limits.maxBodyBytes).get(call.procedure) as UniversalHandler
  const passage: Passage = { call }
  const { request } = call
  const header = new Headers()
  for (const [name, value] of Object.entries(request.headers)) header.set(name, String(value))
  // Ours to keep, for it holds for the usual requests as well. One that is not valid is Connect's to refuse.
  if (call.timeoutMs !== null) header.delete('connect-timeout-ms')
  try {
    const response = await handler({
      httpVersion: request.httpVersion,
      url: new URL(request.url as string, 'http://localhost').href,
      method: request.method as string,
      header,
      body: oneChunk(body),
      // Never aborted: the implementations ask the call itself whether its caller is there.
      signal: new AbortController().signal,
      contextValues: createContextValues().set(PASSAGE, passage),
    })
    if (passage.error !== undefined) return call.fail(passage.error)
    const form = response.header?.get('content-type') === 'application/proto' ? 'proto' : 'json'
    if (passage.secrets !== undefined && response.status === 200) return answerSecrets(call, form, passage.secrets)
    const bytes = await allBytes(response.body)
    call.answer(response.status, rawHeaders(response.header), bytes)
  } finally {
    for (const secret of passage.secrets ?? []) secret.dispose()
  }
}

const handlers = new WeakMap<Served, Map<string, UniversalHandler>>()

function handlersOf(served: Served, readMaxBytes: number): Map<string, UniversalHandler> {
  const known = handlers.get(served)
  if (known !== undefined) return known
  const router: ConnectRouter = createConnectRouter({
    grpc: false,
    grpcWeb: false,
    acceptCompression: [compressionGzip, compressionBrotli],
    readMaxBytes,
  })
  routeServices(router, served)
  const made = new Map(router.handlers.map((handler) => [handler.requestPath, handler]))
  handlers.set(served, made)
  return made
}

async function* oneChunk(bytes: Buffer): AsyncIterable<Uint8Array> {
  if (bytes.length > 0) yield bytes
}

async function allBytes(body: AsyncIterable<Uint8Array> | undefined): Promise<Buffer> {
  const chunks: Uint8Array[] = []
  for await (const chunk of body ?? []) chunks.push(chunk)
  return Buffer.concat(chunks)
}

function rawHeaders(headers: Headers | undefined): string[] {
  return [...(headers ?? [])].filter(([name]) => name !== 'content-length').flat()
}
