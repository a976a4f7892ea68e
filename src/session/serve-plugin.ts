// The plugin's side of a session: what the engine may ask of it.
import type { Server } from 'node:http'
import { create } from '@bufbuild/protobuf'
import type { LocalEngine } from '../engine/engine.js'
import type { PluginLogger, Requester } from '../engine/plugin.js'
import { createError, SecretsError } from '../errors/secrets-error.js'
import { ShutdownRequestSchema, ShutdownResponseSchema } from '../gen/plugins/v1/plugins_pb.js'
import { GetSecretsRequestSchema } from '../gen/resolver/v1/resolver_pb.js'
import { encodeSecrets, type WireBody } from '../wire/body.js'
import { createConnectServer, type Exchange, readMessage, sendBytes, sendMessage } from './serve-connect.js'

/** What is served. */
export interface ServedPlugin {
  /** An engine whose only plugin it is: deadlines, checks and wiping are the same as in process. */
  readonly engine: LocalEngine
  /** Who asks, as far as that is known. */
  readonly requester: Requester
  /** Where failures are written. */
  readonly log: PluginLogger
  /** Called when the engine asks the plugin to end, after it was answered. */
  onShutdown(): void
}

/** Serves a plugin: `server.emit('connection', stream)` gives it each stream of the session. */
export function createPluginServer(served: ServedPlugin): Server {
  return createConnectServer(
    new Map([
      [
        '/resolver.v1.ResolverService/GetSecrets',
        async (exchange: Exchange) => {
          try {
            await answerGetSecrets(served, exchange)
          } catch (error) {
            report(served.log, error)
            throw error
          }
        },
      ],
      [
        '/plugins.v1.PluginService/Shutdown',
        (exchange: Exchange) => {
          readMessage(ShutdownRequestSchema, exchange)
          exchange.response.once('close', () => served.onShutdown())
          sendMessage(ShutdownResponseSchema, create(ShutdownResponseSchema), exchange)
        },
      ],
    ]),
  )
}

async function answerGetSecrets({ engine, requester }: ServedPlugin, exchange: Exchange): Promise<void> {
  const { response, form, timeoutMs } = exchange
  const { pattern } = readMessage(GetSecretsRequestSchema, exchange)
  const gone = new AbortController()
  response.once('close', () => {
    if (!response.writableFinished) gone.abort()
  })
  // The wire does not say whether times are wanted.
  const secrets = await engine.getSecrets(pattern, { requester, timeoutMs, signal: gone.signal, times: true })
  // As plugins of Docker's module answer.
  if (secrets.length === 0) throw createError('SE_NOT_FOUND', `no secret matches ${pattern}`)
  let body: WireBody
  try {
    body = encodeSecrets(form, secrets)
  } finally {
    for (const secret of secrets) secret.dispose()
  }
  // When the bytes are out, or nobody takes them.
  if (response.closed) return body.release()
  response.once('close', () => body.release())
  sendBytes(exchange, body.bytes)
  response.end()
}

/** Where the plugin failed, for its author. The message of a foreign error may quote a value: it is left out. */
function report(log: PluginLogger, error: unknown): void {
  if (!SecretsError.is(error) || error.code === 'SE_NOT_FOUND' || error.code === 'SE_ABORTED') return
  const { cause } = error
  if (!(cause instanceof Error) || SecretsError.is(cause)) {
    log.error(error.message, { code: error.code })
    return
  }
  const head = `${cause.name}: ${cause.message}`
  const frames = cause.stack?.startsWith(head) ? cause.stack.slice(head.length).trim().split('\n') : []
  log.error(error.message, { code: error.code, error: cause.name, at: frames[0]?.trim() })
}
