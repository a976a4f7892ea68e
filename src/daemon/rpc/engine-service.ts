// What our own client asks (proto/senative/engine/v1/engine.proto), in JSON alone: neither side loads Connect or protobuf.
import { wrongArgument } from '../../argument.js'
import { createError } from '../../errors/secrets-error.js'
import { native } from '../../native/load.js'
import { unwrap } from '../../native/outcome.js'
import { secretFromHandle } from '../../secret.js'
import { limitExceeded } from '../limits.js'
import { resultsFor } from './ask-engine.js'
import { answerBatch } from './batch-answer.js'
import { readBody } from './body.js'
import type { Route, Served } from './dispatch.js'
import type { HttpCall } from './http-call.js'

/** The most patterns of one batch. */
const MAX_PATTERNS = 10_000
const JSON_TYPE = /^application\/json(; ?charset=utf-?8)?$/i

type Handler = (call: HttpCall, body: Buffer) => Promise<void>
type JsonObject = Readonly<Record<string, unknown>>

/** The procedures of EngineService, by path. */
export function createEngineService(served: Served): [string, Route][] {
  const { engine } = served
  const handlers: Record<string, Handler> = {
    async GetBatch(call, body) {
      const request = parse(body)
      const patterns = strings(request, 'patterns')
      if (patterns.length > MAX_PATTERNS) throw tooManyPatterns(patterns.length)
      const results = await resultsFor(engine, call, patterns, {
        plugin: text(request, 'plugin'),
        times: flag(request, 'times'),
      })
      answerBatch(call, results, flag(request, 'withoutValues'))
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
      call.json(JSON.stringify({ plugins: await engine.listPlugins() }))
    },
    async Describe(call) {
      call.json(JSON.stringify(served.describe()))
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
  return Object.entries(handlers).map(([name, handler]) => [
    `/senative.engine.v1.EngineService/${name}`,
    (call) => {
      const { method, headers } = call.request
      if (method !== 'POST') return call.answer(405, ['Allow', 'POST'], '')
      if (!JSON_TYPE.test(headers['content-type'] ?? ''))
        return call.answer(415, ['Accept-Post', 'application/json'], '')
      readBody(call, name === 'GetBatch' ? 'maxBatchBytes' : 'maxBodyBytes', (body) => {
        handler(call, body).catch((error) => call.fail(error))
      })
    },
  ])
}

function parse(body: Buffer): JsonObject {
  let request: unknown
  try {
    request = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw createError('SE_INVALID_OPTION', 'the body of the request is not JSON')
  }
  if (typeof request === 'object' && request !== null && !Array.isArray(request)) return request as JsonObject
  throw wrongArgument('the body of the request', 'a JSON object', request)
}

function text(request: JsonObject, name: string): string | undefined {
  const value = request[name] ?? undefined
  if (value === undefined || value === '') return undefined
  if (typeof value === 'string') return value
  throw wrongArgument(name, 'a string', value)
}

function flag(request: JsonObject, name: string): boolean {
  const value = request[name] ?? false
  if (typeof value === 'boolean') return value
  throw wrongArgument(name, 'true or false', value)
}

function strings(request: JsonObject, name: string): string[] {
  const value = request[name] ?? []
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value
  throw wrongArgument(name, 'a list of strings', value)
}

function tooManyPatterns(count: number): Error {
  return limitExceeded(
    'maxPatterns',
    `the request has ${count} patterns, and one request may have at most ${MAX_PATTERNS}`,
    MAX_PATTERNS,
  )
}
