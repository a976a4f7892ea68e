// The RPCs without values: the same requests to our server and to a handler of connect-node, whose answers are equal, and
// what of them costs no Connect.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { create, type DescMessage, fromBinary, fromJsonString, toBinary, toJson } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import test from 'ava'
import type { LocalEngine, PluginInfo } from '../../src/engine/engine.js'
import { createError } from '../../src/errors/secrets-error.js'
import { GetVersionResponseSchema, VersionService } from '../../src/gen/health/v1/health_pb.js'
import {
  DisablePluginResponseSchema,
  EnablePluginRequestSchema,
  EnablePluginResponseSchema,
  ListPluginsResponseSchema,
  PluginManagementService,
  RunStatus,
} from '../../src/gen/plugins/v1/plugins_pb.js'
import { VERSION } from '../../src/version.js'
import { startDaemon } from '../helpers/daemon.js'
import {
  type Answer,
  JSON_TYPE,
  type Sent,
  send,
  sendPlain,
  startServer,
  type TestServer,
} from '../helpers/daemon-server.js'
import { startReference } from '../helpers/reference-server.js'
import { createFileHome } from '../helpers/se.js'

const VERSION_SERVICE = '/health.v1.VersionService'
const MANAGEMENT = '/plugins.v1.PluginManagementService'
const PROTO_TYPE = { 'content-type': 'application/proto' }
const STORE: PluginInfo = {
  name: 'docker-pass',
  version: 'v0.1.0',
  kind: 'secrets',
  pattern: '**',
  enabled: true,
  builtIn: true,
  configurable: false,
  status: 'running',
  statusMessage: undefined,
}
const PLUGINS: readonly PluginInfo[] = [
  STORE,
  { ...STORE, name: 'vault', pattern: 'vault/**', enabled: false, builtIn: false, configurable: true },
  { ...STORE, name: 'gate', kind: 'access control', builtIn: false, status: 'stopped' },
  { ...STORE, name: 'torn', status: 'crashed', statusMessage: 'exited with 1: “zoë”\nline two' },
  { ...STORE, name: 'x'.repeat(128), status: 'retries exceeded', statusMessage: 'y'.repeat(20_000), pattern: '' },
]

let ours: TestServer
let reference: string
/** What our server's engine was told. */
const changes: string[] = []

test.before(async () => {
  const end: (() => Promise<void> | void)[] = []
  const teardown = (fn: () => Promise<void> | void): void => void end.push(fn)
  const change = (verb: string) => async (name: string) => {
    if (name !== 'vault') throw createError('SE_NO_PLUGIN', `there is no plugin ${name}`)
    changes.push(verb)
  }
  const engine = {
    listPlugins: async () => [...PLUGINS],
    enablePlugin: change('enable'),
    disablePlugin: change('disable'),
  }
  ours = await startServer(teardown, [], { engine: engine as unknown as LocalEngine })
  const changed = ({ name }: { name: string }) => {
    if (name !== 'vault') throw new ConnectError(`there is no plugin ${name}`, Code.NotFound)
    return {}
  }
  reference = await startReference(teardown, (router) =>
    router
      .service(VersionService, { getVersion: () => ({ version: `v${VERSION}` }) })
      .service(PluginManagementService, {
        listPlugins: () => ({ plugins: PLUGINS.map(referencePlugin) }),
        enablePlugin: changed,
        disablePlugin: changed,
      }),
  )
  after = async () => {
    for (const fn of end.reverse()) await fn()
  }
})

let after: () => Promise<void>
test.after.always(() => after())

function referencePlugin({
  name,
  version,
  kind,
  pattern,
  enabled,
  builtIn,
  configurable,
  status,
  ...more
}: PluginInfo) {
  const secrets = { case: 'secretsProvider', value: { pattern } } as const
  const gate = { case: 'accessControlModule', value: {} } as const
  return {
    name,
    version,
    disabled: !enabled,
    external: !builtIn,
    configurable,
    runStatus: {
      running: RunStatus.RUNNING,
      stopped: RunStatus.STOPPED,
      crashed: RunStatus.CRASHED,
      'retries exceeded': RunStatus.RETRIES_EXCEEDED,
    }[status],
    statusMessage: more.statusMessage ?? '',
    metadata: kind === 'secrets' ? secrets : gate,
  }
}

const named = (name: string): Buffer =>
  Buffer.from(toBinary(EnablePluginRequestSchema, create(EnablePluginRequestSchema, { name })))
const asJson = (body: string | Buffer, headers = {}): Sent => ({ headers: { ...JSON_TYPE, ...headers }, body })
const asProto = (body: Buffer, headers = {}): Sent => ({ headers: { ...PROTO_TYPE, ...headers }, body })
const NOTHING = Buffer.alloc(0)

/** Requests without fields: those that clients send, and others. */
const EMPTY: Readonly<Record<string, Sent>> = {
  JSON: asJson('{}'),
  protobuf: asProto(NOTHING),
  'JSON with spaces': asJson(' { } '),
  'JSON, an empty body': asJson(''),
  'JSON, an unknown field': asJson('{"x":1}'),
  'JSON, null': asJson('null'),
  'JSON, a list': asJson('[]'),
  'JSON, cut off': asJson('{'),
  'protobuf, an unknown field': asProto(Buffer.from([0x10, 1])),
  'protobuf, cut off': asProto(Buffer.from([0x0a])),
  'protobuf in a JSON body': asJson(NOTHING),
  'JSON in a protobuf body': asProto(Buffer.from('{}')),
  'gzip in JSON': asJson(gzipSync('{}'), { 'content-encoding': 'gzip' }),
  'a charset': asJson('{}', { 'content-type': 'application/json; charset=utf-8' }),
  'a time limit': asProto(NOTHING, { 'connect-timeout-ms': '5000' }),
  'a time limit of a fool': asProto(NOTHING, { 'connect-timeout-ms': 'soon' }),
  'protocol version 1': asJson('{}', { 'connect-protocol-version': '1' }),
  'text/plain': asJson('{}', { 'content-type': 'text/plain' }),
  'an answer in gzip': asProto(NOTHING, { 'accept-encoding': 'gzip' }),
  gRPC: asProto(NOTHING, { 'content-type': 'application/grpc+proto' }),
  GET: { method: 'GET', headers: {} },
  PUT: { ...asJson('{}'), method: 'PUT' },
}

/** Requests with a name. */
const NAMED: Readonly<Record<string, Sent>> = {
  JSON: asJson('{"name":"vault"}'),
  protobuf: asProto(named('vault')),
  'JSON, of nobody': asJson('{"name":"nobody"}'),
  'protobuf, of nobody': asProto(named('nobody')),
  'JSON, a name of 200 letters': asJson(JSON.stringify({ name: 'n'.repeat(200) })),
  'protobuf, a name of 200 letters': asProto(named('n'.repeat(200))),
  'JSON, an empty name': asJson('{"name":""}'),
  'protobuf, an empty name': asProto(Buffer.from([0x0a, 0])),
  'JSON, letters beyond ASCII': asJson('{"name":"zoë"}'),
  'protobuf, letters beyond ASCII': asProto(named('zoë')),
  'JSON, an escape': asJson('{"name":"vaul\\u0074"}'),
  'JSON, spaces': asJson('\n{ "name" : "vault" }\n'),
  'JSON, a number': asJson('{"name":1}'),
  'JSON, the name twice': asJson('{"name":"vault","name":"nobody"}'),
  'JSON, something behind': asJson('{"name":"vault"}}'),
  'protobuf, the name twice': asProto(Buffer.concat([named('nobody'), named('vault')])),
  'protobuf, cut off': asProto(named('vault').subarray(0, 4)),
  'protobuf, UTF-8 that is not valid': asProto(Buffer.from([0x0a, 1, 0xff])),
}

const RPCS: readonly [path: string, schema: DescMessage, probes: Readonly<Record<string, Sent>>][] = [
  [`${VERSION_SERVICE}/GetVersion`, GetVersionResponseSchema, EMPTY],
  [`${MANAGEMENT}/ListPlugins`, ListPluginsResponseSchema, EMPTY],
  [`${MANAGEMENT}/EnablePlugin`, EnablePluginResponseSchema, { ...EMPTY, ...prefixed(NAMED) }],
  [`${MANAGEMENT}/DisablePlugin`, DisablePluginResponseSchema, { ...EMPTY, ...prefixed(NAMED) }],
]
for (const [path, schema, probes] of RPCS) {
  for (const [name, probe] of Object.entries(probes)) {
    test(`our answer is that of connect-node: ${path.split('/')[2]}, ${name}`, async (t) => {
      const sent = { ...probe, path }
      const theirs = seen(schema, await send(reference, sent))
      t.deepEqual(seen(schema, await send(ours.path, sent)), theirs)
      t.deepEqual(seen(schema, await sendPlain(ours.path, sent)), theirs)
    })
  }
}

function prefixed(probes: Readonly<Record<string, Sent>>): Record<string, Sent> {
  return Object.fromEntries(Object.entries(probes).map(([name, probe]) => [`a name: ${name}`, probe]))
}

/** What a caller sees of an answer, decoded. */
function seen(schema: DescMessage, { status, headers, body: bytes }: Answer) {
  const type = headers['content-type']
  const body = headers['content-encoding'] === 'gzip' ? gunzipSync(bytes) : bytes
  if (status === 200) {
    const message = type === 'application/proto' ? fromBinary(schema, body) : fromJsonString(schema, body.toString())
    return { status, type, message: toJson(schema, message) }
  }
  if (type === undefined || type.startsWith('text/plain')) return { status }
  const { code, message } = JSON.parse(body.toString())
  return { status, type, code, message }
}

test.serial('an error of these carries our own beside what connect-node tells, and what is told is done', async (t) => {
  for (const sent of [asJson('{"name":"nobody"}'), asProto(named('nobody'))]) {
    const { body } = await send(ours.path, { ...sent, path: `${MANAGEMENT}/EnablePlugin` })
    t.is(JSON.parse(body.toString()).details[0].type, 'senative.engine.v1.Failure')
  }
  changes.length = 0
  await send(ours.path, { ...asJson('{"name":"vault"}'), path: `${MANAGEMENT}/DisablePlugin` })
  await send(ours.path, { ...asProto(named('vault')), path: `${MANAGEMENT}/EnablePlugin` })
  t.deepEqual(changes, ['disable', 'enable'])
})

test('these cost a daemon no Connect, and unusual requests do', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  const hook = join(home.folder, 'tell-loads.cjs')
  writeFileSync(
    hook,
    `const Module = require('node:module')
     const load = Module._load
     Module._load = function (name, ...more) {
       if (name.startsWith('@')) console.error(name)
       return load.call(this, name, ...more)
     }`,
  )
  const daemon = await startDaemon(t, { home, nodeArguments: ['--require', hook] })
  for (const [path, , probes] of RPCS) {
    for (const form of ['JSON', 'protobuf']) {
      const { status } = await send(daemon.socket, { ...(probes[`a name: ${form}, of nobody`] ?? probes[form]), path })
      t.true(status === 200 || status === 404)
    }
  }
  await daemon.stop()
  t.deepEqual(daemon.others, [])
  await daemon.restart()
  await send(daemon.socket, { ...EMPTY['JSON, an unknown field'], path: `${VERSION_SERVICE}/GetVersion` })
  await daemon.stop()
  t.true(daemon.others.includes('@connectrpc/connect'), daemon.others.join(' '))
})
