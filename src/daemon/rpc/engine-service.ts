// What our own client asks (proto/senative/engine/v1/engine.proto), in JSON alone: neither side loads Connect or protobuf.
import { native } from '../../native/load.js'
import { unwrap } from '../../native/outcome.js'
import { secretFromHandle } from '../../secret.js'
import { readBody } from './body.js'
import type { Call } from './call.js'
import type { Route, Served } from './dispatch.js'
import { answerGetBatch } from './get-batch.js'
import { parse, text } from './json-request.js'

const SERVICE = '/senative.engine.v1.EngineService/'
/** The path of the request whose body is a passphrase. */
export const UNLOCK = `${SERVICE}Unlock`
const JSON_TYPE = /^application\/json(; ?charset=utf-?8)?$/i

/** Answers a request in JSON. The body is its own. */
export type Handler = (call: Call, body: Buffer) => Promise<void>

/** What answers the procedures of EngineService, by path. */
export function createEngineService(served: Served): ReadonlyMap<string, Handler> {
  const { engine, plugins = engine } = served
  const handlers: Readonly<Record<string, Handler>> = {
    async GetBatch(call, body) {
      answerGetBatch(engine, call, body)
    },
    async Suggest(call, body) {
      const request = parse(body)
      const id = text(request, 'id') ?? ''
      const { timeoutMs, connection } = call
      const near = await engine.suggest(id, {
        requester: connection.requester,
        plugin: text(request, 'plugin'),
        timeoutMs: timeoutMs || undefined,
      })
      call.json(JSON.stringify({ id: near ?? '' }))
    },
    async ListPlugins(call) {
      call.json(JSON.stringify({ plugins: await plugins.listPlugins() }))
    },
    async Describe(call) {
      call.json(JSON.stringify(await served.describe()))
    },
    async Unlock(call, body) {
      const passphrase = secretFromHandle('passphrase', unwrap(native().decodeMember(body, 'passphrase')))
      try {
        await served.unlock(passphrase)
      } finally {
        passphrase.dispose()
      }
      call.json('{}')
    },
    async Lock(call) {
      await served.lock()
      call.json('{}')
    },
  }
  return new Map(Object.entries(handlers).map(([name, handler]) => [`${SERVICE}${name}`, handler]))
}

/** Their routes, which tell what is wrong with a request that is not a usual one. */
export function engineRoutes(handlers: ReadonlyMap<string, Handler>): [string, Route][] {
  return [...handlers].map(([procedure, handler]) => [
    procedure,
    (call) => {
      const { method, headers } = call.request
      if (method !== 'POST') return call.answer(405, ['Allow', 'POST'], '')
      if (!JSON_TYPE.test(headers['content-type'] ?? ''))
        return call.answer(415, ['Accept-Post', 'application/json'], '')
      readBody(call, procedure.endsWith('/GetBatch') ? 'maxBatchBytes' : 'maxBodyBytes', (body) => {
        handler(call, body).catch((error) => call.fail(error))
      })
    },
  ])
}
