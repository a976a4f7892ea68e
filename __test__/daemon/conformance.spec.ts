// The same requests to our server and to a handler of connect-node with the same secrets: what a caller sees is equal.

import { brotliCompressSync, gunzipSync, gzipSync } from 'node:zlib'
import { create, fromBinary, fromJsonString, toBinary, toJson } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError } from '@connectrpc/connect'
import test, { type ExecutionContext } from 'ava'
import { definePlugin } from '../../src/engine/plugin.js'
import {
  type GetSecretsRequest,
  GetSecretsRequestSchema,
  GetSecretsResponse_EnvelopeSchema,
  GetSecretsResponseSchema,
  ResolverService,
} from '../../src/gen/resolver/v1/resolver_pb.js'
import { parsePattern } from '../../src/pattern.js'
import { Secret } from '../../src/secret.js'
import {
  type Answer,
  GET_SECRETS,
  type Sent,
  send,
  sendPlain,
  startServer,
  type TestServer,
} from '../helpers/daemon-server.js'
import { startReference } from '../helpers/reference-server.js'

const AT = new Date('2026-11-25T20:00:00.123Z')
const FACTS = {
  version: 'v7',
  metadata: { owner: 'zoë', '': 'empty', 'a"b': 'line\nend' },
  createdAt: AT,
  resolvedAt: AT,
  expiresAt: AT,
}
const SECRETS: readonly { id: string; value: Buffer; facts?: typeof FACTS }[] = [
  { id: 'app/db', value: Buffer.from('hunter2'), facts: FACTS },
  { id: 'app/empty', value: Buffer.alloc(0) },
  { id: 'app/binary', value: Buffer.from(Array.from({ length: 256 }, (_, n) => n)) },
  { id: 'app/long', value: Buffer.alloc(100_000, 'long') },
  { id: 'other', value: Buffer.from('o') },
  ...Array.from({ length: 1000 }, (_, n) => ({ id: `many/${n}`, value: Buffer.from(`value ${n}`) })),
]

let ours: TestServer
let reference: string

test.before(async (t) => {
  const end: (() => Promise<void> | void)[] = []
  const teardown = (fn: () => Promise<void> | void): void => void end.push(fn)
  const plugin = definePlugin({
    name: 'memory',
    version: 'v1.0.0',
    pattern: '**',
    getSecrets: (pattern) =>
      SECRETS.filter(({ id }) => pattern.matches(id)).map(({ id, value, facts = { resolvedAt: AT } }) =>
        Secret.from(id, value, facts),
      ),
  })
  ours = await startServer(teardown, [plugin])
  reference = await startReference(teardown, (router) => router.service(ResolverService, { getSecrets }))
  after = async () => {
    for (const fn of end.reverse()) await fn()
  }
  t.pass()
})

let after: () => Promise<void>
test.after.always(() => after())

function getSecrets({ pattern: text }: GetSecretsRequest, { signal }: { signal: AbortSignal }) {
  if (signal.aborted) throw signal.reason
  let pattern: ReturnType<typeof parsePattern>
  try {
    pattern = parsePattern(text)
  } catch (error) {
    throw new ConnectError((error as Error).message, Code.InvalidArgument)
  }
  const unknown = timestampFromDate(new Date('0001-01-01T00:00:00Z'))
  const envelopes = SECRETS.filter(({ id }) => pattern.matches(id))
    .sort((a, b) => (a.id < b.id ? -1 : 1))
    .map(({ id, value, facts }) =>
      create(GetSecretsResponse_EnvelopeSchema, {
        id,
        value,
        provider: 'memory',
        version: facts?.version ?? '',
        metadata: facts?.metadata ?? {},
        createdAt: facts === undefined ? unknown : timestampFromDate(AT),
        resolvedAt: timestampFromDate(AT),
        expiresAt: facts === undefined ? unknown : timestampFromDate(AT),
      }),
    )
  if (envelopes.length === 0) throw new ConnectError('secret not found', Code.NotFound)
  return { envelopes }
}

const json = (pattern: unknown): string => JSON.stringify({ pattern })
const proto = (pattern: string): Buffer =>
  Buffer.from(toBinary(GetSecretsRequestSchema, create(GetSecretsRequestSchema, { pattern })))
const JSON_TYPE = { 'content-type': 'application/json' }
const PROTO_TYPE = { 'content-type': 'application/proto' }
const asJson = (body: Buffer | string, headers = {}): Sent => ({ headers: { ...JSON_TYPE, ...headers }, body })
const asProto = (body: Buffer | string, headers = {}): Sent => ({ headers: { ...PROTO_TYPE, ...headers }, body })
const hex = (text: string): Buffer => Buffer.from(text.replace(/ /g, ''), 'hex')
const PATTERN = json('app/db')

const PROBES: Readonly<Record<string, Sent>> = {
  // usual requests
  'JSON: one id': asJson(PATTERN),
  'JSON: a pattern': asJson(json('app/*')),
  'JSON: an empty value': asJson(json('app/empty')),
  'JSON: every byte': asJson(json('app/binary')),
  'JSON: a long value': asJson(json('app/long')),
  'JSON: a thousand': asJson(json('many/*')),
  'JSON: all': asJson(json('**')),
  'JSON: nothing found': asJson(json('app/none')),
  'JSON: a bad pattern': asJson(json('foo*')),
  'JSON: an empty pattern': asJson(json('')),
  'JSON: three stars': asJson(json('***')),
  'JSON: a slash at the end': asJson(json('app/')),
  'JSON: spaces around everything': asJson(' \t\r\n{ \n"pattern"\t: "app/db" \r} \n'),
  'proto: one id': asProto(proto('app/db')),
  'proto: a pattern': asProto(proto('app/*')),
  'proto: every byte': asProto(proto('app/binary')),
  'proto: an empty value': asProto(proto('app/empty')),
  'proto: a thousand': asProto(proto('many/*')),
  'proto: nothing found': asProto(proto('app/none')),
  'proto: a bad pattern': asProto(proto('foo*')),
  'proto: a pattern of 200 characters': asProto(proto(`${'a/'.repeat(99)}**`)),
  // JSON that is unusual
  'JSON: an empty body': asJson(''),
  'JSON: no field': asJson('{}'),
  'JSON: null': asJson('null'),
  'JSON: the pattern is null': asJson('{"pattern":null}'),
  'JSON: a list': asJson('[]'),
  'JSON: a string': asJson('"app/db"'),
  'JSON: the pattern is a number': asJson('{"pattern":1}'),
  'JSON: the pattern is a list': asJson('{"pattern":["app/db"]}'),
  'JSON: cut off': asJson('{"pattern":"app/db"'),
  'JSON: something behind': asJson(`${PATTERN}x`),
  'JSON: two objects': asJson(`${PATTERN}${PATTERN}`),
  'JSON: a comma at the end': asJson('{"pattern":"app/db",}'),
  'JSON: single quotes': asJson("{'pattern':'app/db'}"),
  'JSON: the field twice': asJson('{"pattern":"other","pattern":"app/db"}'),
  'JSON: an unknown field before': asJson('{"x":1,"pattern":"app/db"}'),
  'JSON: an unknown field behind': asJson('{"pattern":"app/db","x":{"y":[1]}}'),
  'JSON: an escape': asJson('{"pattern":"app\\u002fdb"}'),
  'JSON: an escaped slash': asJson('{"pattern":"app\\/db"}'),
  'JSON: an escaped name': asJson('{"p\\u0061ttern":"app/db"}'),
  'JSON: a line end in the pattern': asJson('{"pattern":"app\\n"}'),
  'JSON: a raw line end in the pattern': asJson('{"pattern":"app\n"}'),
  'JSON: a NUL in the pattern': asJson('{"pattern":"app\\u0000"}'),
  'JSON: a lone surrogate': asJson('{"pattern":"\\ud800"}'),
  'JSON: letters beyond ASCII': asJson(json('zoë')),
  'JSON: UTF-8 that is not valid': asJson(
    Buffer.concat([Buffer.from('{"pattern":"'), hex('ff fe'), Buffer.from('"}')]),
  ),
  'JSON: a byte order mark': asJson(Buffer.concat([hex('ef bb bf'), Buffer.from(PATTERN)])),
  'JSON: a space that JSON does not know': asJson(`\u00a0${PATTERN}`),
  'JSON: a vertical tab': asJson(`\v${PATTERN}`),
  'JSON: __proto__': asJson('{"__proto__":{"pattern":"app/db"}}'),
  'JSON: a pattern of 5,000 characters': asJson(json('a'.repeat(5000))),
  'JSON: a pattern of 60,000 characters': asJson(json('a/'.repeat(30_000))),
  'JSON: deeply nested': asJson(`{"x":${'['.repeat(20_000)}${']'.repeat(20_000)},"pattern":"app/db"}`),
  // protobuf that is unusual
  'proto: an empty body': asProto(''),
  'proto: an empty pattern': asProto(hex('0a00')),
  'proto: the tag alone': asProto(hex('0a')),
  'proto: cut off in the length': asProto(hex('0a86')),
  'proto: cut off in the pattern': asProto(hex('0a06 6170')),
  'proto: the length of 5 bytes': asProto(hex('0a86 8080 8000 6170702f6462')),
  'proto: the length of 2 bytes': asProto(hex('0a86 00 6170702f6462')),
  'proto: a length without end': asProto(hex('0aff ffff ffff ffff ffff ffff')),
  'proto: the field twice': asProto(Buffer.concat([proto('other'), proto('app/db')])),
  'proto: an unknown field behind': asProto(Buffer.concat([proto('app/db'), hex('1001')])),
  'proto: an unknown field before': asProto(Buffer.concat([hex('1001'), proto('app/db')])),
  'proto: the field as a number': asProto(hex('0801')),
  'proto: field 0': asProto(hex('0201 61')),
  'proto: a group': asProto(hex('0b 0c')),
  'proto: a group that does not end': asProto(hex('0b')),
  'proto: UTF-8 that is not valid': asProto(hex('0a02 fffe')),
  'proto: a NUL': asProto(hex('0a01 00')),
  'proto: JSON instead': asProto(PATTERN),
  'JSON: protobuf instead': asJson(proto('app/db')),
  // headers
  'a charset': asJson(PATTERN, { 'content-type': 'application/json; charset=utf-8' }),
  'a charset in capitals': asJson(PATTERN, { 'content-type': 'application/json;charset=UTF-8' }),
  'another charset': asJson(PATTERN, { 'content-type': 'application/json; charset=latin1' }),
  'JSON in capitals': asJson(PATTERN, { 'content-type': 'Application/JSON' }),
  'proto in capitals': asProto(proto('app/db'), { 'content-type': 'APPLICATION/PROTO' }),
  'text/plain': asJson(PATTERN, { 'content-type': 'text/plain' }),
  'an empty content type': asJson(PATTERN, { 'content-type': '' }),
  'no content type': { headers: {}, body: PATTERN },
  'a content type twice': asJson(PATTERN, { 'content-type': 'application/json, application/json' }),
  'application/x-protobuf': asProto(proto('app/db'), { 'content-type': 'application/x-protobuf' }),
  'a stream in JSON': asJson(PATTERN, { 'content-type': 'application/connect+json' }),
  'a stream in protobuf': asProto(proto('app/db'), { 'content-type': 'application/connect+proto' }),
  gRPC: asProto(proto('app/db'), { 'content-type': 'application/grpc+proto' }),
  'gRPC-web': asProto(proto('app/db'), { 'content-type': 'application/grpc-web' }),
  'protocol version 1': asJson(PATTERN, { 'connect-protocol-version': '1' }),
  'protocol version 2': asJson(PATTERN, { 'connect-protocol-version': '2' }),
  'protocol version of a fool': asProto(proto('app/db'), { 'connect-protocol-version': 'ü' }),
  'a time limit': asJson(PATTERN, { 'connect-timeout-ms': '5000' }),
  'a time limit of ten digits': asJson(PATTERN, { 'connect-timeout-ms': '9999999999' }),
  'a time limit of eleven digits': asJson(PATTERN, { 'connect-timeout-ms': '10000000000' }),
  'no time': asJson(PATTERN, { 'connect-timeout-ms': '0' }),
  'no time, in protobuf': asProto(proto('app/db'), { 'connect-timeout-ms': '0000' }),
  'a time limit below zero': asJson(PATTERN, { 'connect-timeout-ms': '-1' }),
  'a time limit with a unit': asJson(PATTERN, { 'connect-timeout-ms': '5s' }),
  'a time limit with a fraction': asProto(proto('app/db'), { 'connect-timeout-ms': '1.5' }),
  'an empty time limit': asJson(PATTERN, { 'connect-timeout-ms': '' }),
  'two time limits': asJson(PATTERN, { 'connect-timeout-ms': ['5', '6'] }),
  // compression
  'a gzip body': asJson(gzipSync(PATTERN), { 'content-encoding': 'gzip' }),
  'a gzip body in protobuf': asProto(gzipSync(proto('app/db')), { 'content-encoding': 'gzip' }),
  'a brotli body': asJson(brotliCompressSync(PATTERN), { 'content-encoding': 'br' }),
  'a gzip body that is none': asJson(PATTERN, { 'content-encoding': 'gzip' }),
  'an empty gzip body': asProto('', { 'content-encoding': 'gzip' }),
  'a gzip body that is cut off': asJson(gzipSync(PATTERN).subarray(0, 20), { 'content-encoding': 'gzip' }),
  'a gzip body that grows beyond the limit': asJson(gzipSync(json('a'.repeat(1 << 20))), {
    'content-encoding': 'gzip',
  }),
  'an unknown encoding': asJson(PATTERN, { 'content-encoding': 'zstd' }),
  identity: asJson(PATTERN, { 'content-encoding': 'identity' }),
  'an empty encoding': asJson(PATTERN, { 'content-encoding': '' }),
  'a gzip answer': asJson(json('many/*'), { 'accept-encoding': 'gzip' }),
  'a gzip answer in protobuf': asProto(proto('many/*'), { 'accept-encoding': 'gzip' }),
  'a gzip answer to an unusual request': asJson('{"x":1,"pattern":"many/*"}', { 'accept-encoding': 'gzip, br' }),
  'an answer of any encoding': asJson(PATTERN, { 'accept-encoding': '*' }),
  // methods and paths
  GET: { method: 'GET', headers: {} },
  'GET with a query': {
    method: 'GET',
    path: `${GET_SECRETS}?encoding=json&message=${encodeURIComponent(PATTERN)}`,
    headers: {},
  },
  HEAD: { method: 'HEAD', headers: {} },
  PUT: { ...asJson(PATTERN), method: 'PUT' },
  DELETE: { method: 'DELETE', headers: {} },
  OPTIONS: { method: 'OPTIONS', headers: {} },
  'a query': { ...asJson(PATTERN), path: `${GET_SECRETS}?x=1` },
  'a query that is no URL': { ...asJson(PATTERN), path: `${GET_SECRETS}?%%%` },
  'a slash at the end': { ...asJson(PATTERN), path: `${GET_SECRETS}/` },
  'another method of the service': { ...asJson('{}'), path: '/resolver.v1.ResolverService/GetSecret' },
  'small letters': { ...asJson(PATTERN), path: GET_SECRETS.toLowerCase() },
  'the path of a stranger': { ...asJson('{}'), path: '/x.v1.Y/Z' },
  'the root': { method: 'GET', path: '/', headers: {} },
  'two slashes': { ...asJson(PATTERN), path: `/${GET_SECRETS}` },
}

for (const [name, probe] of Object.entries(PROBES)) {
  test(`our answer is that of connect-node: ${name}`, async (t) => {
    const [own, theirs] = [await send(ours.path, probe), await send(reference, probe)]
    t.deepEqual(seen(own), seen(theirs))
    checkHeaders(t, own)
    // Once more without the headers of node:http's client, which is another way through our server: on a connection of
    // its own, and on one that has carried a request.
    for (const before of [[], [asProto(proto('app/db'))], [probe]]) {
      const plain = await sendPlain(ours.path, probe, ...before)
      t.deepEqual(seen(plain), seen(theirs))
      checkHeaders(t, plain)
    }
  })
}

test('the answers to random protobuf are those of connect-node', async (t) => {
  let state = 1
  const random = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return (state >>> 8) % below
  }
  for (let n = 0; n < 300; n++) {
    // Half of them are a good request of which some bytes were changed.
    const body = n % 2 === 0 ? proto('app/db') : Buffer.alloc(random(20))
    for (let changes = n % 2 === 0 ? 1 + random(2) : body.length; changes > 0; changes--) {
      if (body.length > 0) body[random(body.length)] = random(256)
    }
    const [own, theirs] = [await sendPlain(ours.path, asProto(body)), await send(reference, asProto(body))]
    t.deepEqual(seen(own), seen(theirs), body.toString('hex'))
  }
})

test('an error carries our own beside what connect-node tells', async (t) => {
  const { status, body } = await send(ours.path, asJson(json('app/none')))
  t.is(status, 404)
  const { code, message, details } = JSON.parse(body.toString())
  t.like({ code, message }, { code: 'not_found', message: 'secret not found' })
  t.is(details[0].type, 'senative.engine.v1.Failure')
})

/** What a caller sees of an answer, decoded. */
function seen({ status, headers, body }: Answer) {
  const type = headers['content-type']
  const plain = headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body
  if (status === 200) return { status, type, message: decode(type, plain) }
  // Where nothing answers, connect-node writes nothing, and we a line for people.
  if (type === undefined || type.startsWith('text/plain')) return { status }
  const { code, message } = JSON.parse(plain.toString())
  // Whose clock ran out is told in other words.
  return { status, type, code, message: code === 'deadline_exceeded' ? undefined : message }
}

function decode(type: string | undefined, body: Buffer): unknown {
  const message =
    type === 'application/proto'
      ? fromBinary(GetSecretsResponseSchema, body)
      : fromJsonString(GetSecretsResponseSchema, body.toString())
  return toJson(GetSecretsResponseSchema, message)
}

function checkHeaders(t: ExecutionContext, { headers, body }: Answer): void {
  t.is(headers['transfer-encoding'], undefined)
  if (headers['content-length'] !== '0' && body.length > 0) t.is(Number(headers['content-length']), body.length)
}
