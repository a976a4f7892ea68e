// The RPCs without values that programs ask by themselves, as they usually write them: answered without Connect.
import { VERSION } from '../../version.js'
import type { WireForm } from '../../wire/body.js'
import { readBody } from './body.js'
import { JSON_HEADERS, PROTO_HEADERS } from './call.js'
import type { Route, Served, Unusual } from './dispatch.js'
import { field, listPluginsResponse, pluginMessage } from './plugin-message.js'
import { protoText } from './request-pattern.js'
import { usualForm } from './usual-form.js'

interface PlainRpc {
  /** Reads the request: undefined when it is not a usual one. */
  readonly read: (form: WireForm, body: Buffer) => string | undefined
  /** The answer in this form. */
  readonly answer: (form: WireForm, argument: string) => Promise<string | Buffer>
}

const JSON_NAME = /^[ \t\r\n]*\{[ \t\r\n]*"name"[ \t\r\n]*:[ \t\r\n]*"([A-Za-z0-9._-]+)"[ \t\r\n]*\}[ \t\r\n]*$/

/** These RPCs, by path. */
export function createPlainRpcs({ engine }: Served, unusual: Unusual): [string, Route][] {
  const changing = (change: (name: string) => Promise<void>): PlainRpc => ({
    read: readName,
    answer: async (form, name) => {
      await change(name)
      return form === 'json' ? '{}' : ''
    },
  })
  const rpcs: Readonly<Record<string, PlainRpc>> = {
    // Asked by every client of ours that wants to know whether a daemon lives.
    '/health.v1.VersionService/GetVersion': {
      read: readNothing,
      answer: async (form) => (form === 'json' ? JSON.stringify({ version: `v${VERSION}` }) : field(1, `v${VERSION}`)),
    },
    '/plugins.v1.PluginManagementService/ListPlugins': {
      read: readNothing,
      answer: async (form) => {
        const plugins = (await engine.listPlugins()).map(pluginMessage)
        return form === 'json' ? JSON.stringify({ plugins }) : listPluginsResponse(plugins)
      },
    },
    '/plugins.v1.PluginManagementService/EnablePlugin': changing((name) => engine.enablePlugin(name)),
    '/plugins.v1.PluginManagementService/DisablePlugin': changing((name) => engine.disablePlugin(name)),
  }
  return Object.entries(rpcs).map(([procedure, rpc]) => [procedure, route(rpc, unusual)])
}

function route({ read, answer }: PlainRpc, unusual: Unusual): Route {
  return (call) =>
    readBody(call, 'maxBodyBytes', (body) => {
      const form = usualForm(call)
      const argument = form && read(form, body)
      if (form === undefined || argument === undefined) return unusual(call, body)
      answer(form, argument)
        .then((bytes) => call.answer(200, form === 'json' ? JSON_HEADERS : PROTO_HEADERS, bytes))
        .catch((error) => call.fail(error))
    })
}

function readNothing(form: WireForm, body: Buffer): string | undefined {
  const empty = form === 'json' ? body.toString('latin1') === '{}' : body.length === 0
  return empty ? '' : undefined
}

function readName(form: WireForm, body: Buffer): string | undefined {
  return form === 'json' ? JSON_NAME.exec(body.toString('latin1'))?.[1] : protoText(body)
}
