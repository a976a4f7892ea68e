// Which code answers which request. The usual ones are answered here, without Connect; what is unusual, and the RPCs that
// carry no value, go through Connect's own handlers, which are loaded with the first of them.
import type { Authorize } from '../../engine/access.js'
import type { LocalEngine } from '../../engine/engine.js'
import type { Secret } from '../../secret.js'
import { VERSION } from '../../version.js'
import type { WireForm } from '../../wire/body.js'
import { readBody } from './body.js'
import { PROTO_HEADERS } from './call.js'
import { createEngineService } from './engine-service.js'
import { answerGetSecrets } from './get-secrets.js'
import type { HttpCall } from './http-call.js'
import { requestPattern } from './request-pattern.js'

/** What a daemon is and how it is doing, for `se daemon status`. */
export interface DaemonDescription {
  /** The version of this package. */
  readonly version: string
  readonly pid: number
  readonly startedAt: Date
  /** Where it listens. */
  readonly addresses: readonly string[]
  /** The configuration file that it reads. */
  readonly configFile: string
  /** The kind of its store, and where that is; empty when it has none. */
  readonly storeKind: string
  readonly storeLocation: string
}

/** What the services answer with. */
export interface Served {
  readonly engine: LocalEngine
  /** Says whether somebody may ask: what the engine asks itself before each request. By default whoever is let in may. */
  readonly authorize?: Authorize | undefined
  /** What the daemon is. */
  describe(): DaemonDescription
  /** Opens the encrypted file. The passphrase is wiped when the promise settles. */
  unlock(passphrase: Secret): Promise<void>
  /** Forgets passphrases and every cached value. */
  lock(): Promise<void>
}

/** Answers a request. */
export type Route = (call: HttpCall) => void

/** A procedure that Connect answers. */
const CONNECT_PROCEDURES = [
  '/resolver.v1.AuthorizerService/Authorize',
  '/plugins.v1.PluginManagementService/ListPlugins',
  '/plugins.v1.PluginManagementService/EnablePlugin',
  '/plugins.v1.PluginManagementService/DisablePlugin',
]

/** Makes the function that answers every request of a server. */
export function createDispatcher(served: Served): Route {
  let handlers: Promise<typeof import('./connect.js')> | undefined
  const throughConnect = (call: HttpCall, body: Buffer): void => {
    handlers ??= import('./connect.js')
    handlers
      .then(({ answerThroughConnect }) => answerThroughConnect(served, call, body))
      .catch((error) => call.fail(error))
  }
  const byConnect: Route = (call) => readBody(call, 'maxBodyBytes', (body) => throughConnect(call, body))
  const routes = new Map<string, Route>([
    ...CONNECT_PROCEDURES.map((procedure): [string, Route] => [procedure, byConnect]),
    ...createEngineService(served),
    ['/resolver.v1.ResolverService/GetSecrets', getSecrets(served.engine, throughConnect)],
    ['/health.v1.VersionService/GetVersion', getVersion(throughConnect)],
    ['/health', health],
    ['/hijack', (call) => call.text(426, 'a session begins with Connection: upgrade and Upgrade: tcp')],
  ])
  return (call) => (routes.get(call.procedure) ?? notFound)(call)
}

type Unusual = (call: HttpCall, body: Buffer) => void

function getSecrets(engine: LocalEngine, unusual: Unusual): Route {
  return (call) =>
    readBody(call, 'maxBodyBytes', (body) => {
      const form = usualForm(call)
      const pattern = form && requestPattern(form, body)
      if (form === undefined || pattern === undefined) return unusual(call, body)
      answerGetSecrets(engine, call, form, pattern)
    })
}

// Asked by every client of ours that wants to know whether a daemon lives: it costs no Connect.
function getVersion(unusual: Unusual): Route {
  const version = Buffer.from(`v${VERSION}`)
  const json = JSON.stringify({ version: `v${VERSION}` })
  const proto = Buffer.concat([Buffer.from([0x0a, version.length]), version])
  return (call) =>
    readBody(call, 'maxBodyBytes', (body) => {
      const form = usualForm(call)
      const empty = form === 'json' ? body.toString('latin1') === '{}' : body.length === 0
      if (form === undefined || !empty) return unusual(call, body)
      if (form === 'json') call.json(json)
      else call.answer(200, PROTO_HEADERS, proto)
    })
}

/** The form of a request that is as every client writes it; undefined for any other, or when its headers are not valid. */
function usualForm({ request, timeoutMs }: HttpCall): WireForm | undefined {
  const { method, url, headers } = request
  if (method !== 'POST' || url?.includes('?') || timeoutMs === null) return undefined
  if (headers['content-encoding'] !== undefined) return undefined
  if (headers['content-type'] === 'application/json') return 'json'
  return headers['content-type'] === 'application/proto' ? 'proto' : undefined
}

function health(call: HttpCall): void {
  const { method } = call.request
  if (method !== 'GET' && method !== 'HEAD') return call.answer(405, ['Allow', 'GET, HEAD'], '')
  call.answer(200, ['Content-Type', 'text/plain; charset=utf-8'], 'ok')
}

function notFound(call: HttpCall): void {
  call.text(404, '404 page not found')
}
