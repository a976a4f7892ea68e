// Requests as programs usually write them, answered without Connect: GetSecrets, those of our own client, and the RPCs
// without values that programs ask by themselves.
import { VERSION } from '../../version.js'
import type { WireForm } from '../../wire/body.js'
import { type Call, JSON_HEADERS, PROTO_HEADERS } from './call.js'
import type { Served } from './dispatch.js'
import type { Handler } from './engine-service.js'
import { answerGetSecrets } from './get-secrets.js'
import { field, listPluginsResponse, pluginMessage } from './plugin-message.js'
import { protoText, requestPattern } from './request-pattern.js'

/** Answers a request whose body was read. What it throws becomes the answer. */
export type Answer = (call: Call) => void

/** Reads the body of a request, and answers with what answers it; undefined when it is not a usual one. */
export type Usual = (form: WireForm, body: Buffer) => Answer | undefined

/**
 * What reads usual requests, by the path.
 * @param handlers - Those of EngineService.
 */
export function createUsual(
  { engine, plugins = engine }: Served,
  handlers: ReadonlyMap<string, Handler>,
): ReadonlyMap<string, Usual> {
  const change = (work: (name: string) => Promise<void>): Usual =>
    told(readName, async (form, name) => {
      await work(name)
      return form === 'json' ? '{}' : ''
    })
  return new Map<string, Usual>([
    [
      '/resolver.v1.ResolverService/GetSecrets',
      (form, body) => {
        const pattern = requestPattern(form, body)
        return pattern === undefined ? undefined : (call) => answerGetSecrets(engine, call, form, pattern)
      },
    ],
    ...[...handlers].map(([procedure, handler]): [string, Usual] => [procedure, inJson(handler)]),
    // Asked by every client of ours that wants to know whether a daemon lives.
    [
      '/health.v1.VersionService/GetVersion',
      told(readNothing, async (form) =>
        form === 'json' ? JSON.stringify({ version: `v${VERSION}` }) : field(1, `v${VERSION}`),
      ),
    ],
    [
      '/plugins.v1.PluginManagementService/ListPlugins',
      told(readNothing, async (form) => {
        const listed = (await plugins.listPlugins()).map(pluginMessage)
        return form === 'json' ? JSON.stringify({ plugins: listed }) : listPluginsResponse(listed)
      }),
    ],
    ['/plugins.v1.PluginManagementService/EnablePlugin', change((name) => plugins.enablePlugin(name))],
    ['/plugins.v1.PluginManagementService/DisablePlugin', change((name) => plugins.disablePlugin(name))],
  ])
}

function inJson(handler: Handler): Usual {
  return (form, body) => {
    if (form !== 'json') return undefined
    return (call) => {
      handler(call, body).catch((error) => call.fail(error))
    }
  }
}

/** An RPC without values, whose request is one text or nothing. */
function told(
  read: (form: WireForm, body: Buffer) => string | undefined,
  answer: (form: WireForm, argument: string) => Promise<string | Buffer>,
): Usual {
  return (form, body) => {
    const argument = read(form, body)
    if (argument === undefined) return undefined
    return (call) => {
      answer(form, argument)
        .then((bytes) => call.answer(200, form === 'json' ? JSON_HEADERS : PROTO_HEADERS, bytes))
        .catch((error) => call.fail(error))
    }
  }
}

const JSON_NAME = /^[ \t\r\n]*\{[ \t\r\n]*"name"[ \t\r\n]*:[ \t\r\n]*"([A-Za-z0-9._-]+)"[ \t\r\n]*\}[ \t\r\n]*$/

function readNothing(form: WireForm, body: Buffer): string | undefined {
  const empty = form === 'json' ? body.toString('latin1') === '{}' : body.length === 0
  return empty ? '' : undefined
}

function readName(form: WireForm, body: Buffer): string | undefined {
  return form === 'json' ? JSON_NAME.exec(body.toString('latin1'))?.[1] : protoText(body)
}
