// Which code answers which request. The usual ones are answered without Connect; what is unusual goes through Connect's own
// handlers, which are loaded with the first of them.
import type { Authorize } from '../../engine/access.js'
import type { LocalEngine } from '../../engine/engine.js'
import type { Secret } from '../../secret.js'
import type { WireForm } from '../../wire/body.js'
import { readBody } from './body.js'
import { engineRoutes, type Handler } from './engine-service.js'
import type { HttpCall } from './http-call.js'
import type { Usual } from './usual.js'

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
  /** Of an encrypted file: whether it has to be unlocked. */
  readonly storeLocked?: boolean | undefined
}

/** Lists and changes plugins. */
export type PluginManager = Pick<LocalEngine, 'listPlugins' | 'enablePlugin' | 'disablePlugin'>

/** What the services answer with. */
export interface Served {
  readonly engine: LocalEngine
  /** What lists and changes plugins. By default the engine. */
  readonly plugins?: PluginManager | undefined
  /** Says whether somebody may ask: what the engine asks itself before each request. By default whoever is let in may. */
  readonly authorize?: Authorize | undefined
  /** What the daemon is. */
  describe(): DaemonDescription | Promise<DaemonDescription>
  /** Opens the encrypted file. The passphrase is wiped when the promise settles. */
  unlock(passphrase: Secret): Promise<void>
  /** Forgets passphrases and every cached value. */
  lock(): Promise<void>
}

/** Answers a request. */
export type Route = (call: HttpCall) => void

/**
 * Makes the function that answers every request of a server.
 * @param engineHandlers - Of EngineService.
 * @param usual - What reads usual requests.
 */
export function createDispatcher(
  served: Served,
  engineHandlers: ReadonlyMap<string, Handler>,
  usual: ReadonlyMap<string, Usual>,
): Route {
  let handlers: Promise<typeof import('./connect.js')> | undefined
  const throughConnect = (call: HttpCall, body: Buffer): void => {
    handlers ??= import('./connect.js')
    handlers
      .then(({ answerThroughConnect }) => answerThroughConnect(served, call, body))
      .catch((error) => call.fail(error))
  }
  const routes = new Map<string, Route>([
    ...[...usual].map(([procedure, read]): [string, Route] => [procedure, usualOr(read, throughConnect)]),
    // In the place of their usual ones: they take other forms of the content type as well.
    ...engineRoutes(engineHandlers),
    [
      '/resolver.v1.AuthorizerService/Authorize',
      (call) => readBody(call, 'maxBodyBytes', (body) => throughConnect(call, body)),
    ],
    ['/health', health],
    ['/hijack', (call) => call.text(426, 'a session begins with Connection: upgrade and Upgrade: tcp')],
  ])
  return (call) => (routes.get(call.procedure) ?? notFound)(call)
}

function usualOr(read: Usual, unusual: (call: HttpCall, body: Buffer) => void): Route {
  return (call) =>
    readBody(call, 'maxBodyBytes', (body) => {
      const form = usualForm(call)
      const answer = form && read(form, body)
      if (answer === undefined) unusual(call, body)
      else answer(call)
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
