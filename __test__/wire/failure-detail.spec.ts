import { create, toBinary } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import { codeToHttpStatus, errorFromJson } from '@connectrpc/connect/protocol-connect'
import test from 'ava'
import fc from 'fast-check'
import { CODES, type ErrorCode } from '../../src/errors/codes.js'
import { createError } from '../../src/errors/secrets-error.js'
import { FailureSchema } from '../../src/gen/senative/engine/v1/engine_pb.js'
import { connectErrorBody, errorFromConnectBody } from '../../src/wire/failure-detail.js'

const foreign = (code: string, message: string) => JSON.stringify({ code, message })

test('every code goes over the wire and comes back with its message, hint and details', (t) => {
  for (const code of Object.keys(CODES) as ErrorCode[]) {
    const error = createError(code, `it failed: ${'é'.repeat(200)}`, { hint: 'do this', details: { id: 'a/b', n: 2 } })
    const { status, body } = connectErrorBody(error)
    t.deepEqual(errorFromConnectBody(status, body).toJSON(), error.toJSON())
  }
})

test('what goes over the wire is a Connect error whose detail protobuf-es reads', (t) => {
  const error = createError('SE_LOCKED', 'the file is locked', { hint: 'se unlock', details: { path: '/x' } })
  const { status, body } = connectErrorBody(error)
  const read = errorFromJson(JSON.parse(body), undefined, new ConnectError('none'))
  t.is(read.code, Code.FailedPrecondition)
  t.is(status, codeToHttpStatus(read.code))
  t.is(read.rawMessage, 'the file is locked')
  const [failure] = read.findDetails(FailureSchema)
  t.like(failure, { code: 'SE_LOCKED', message: 'the file is locked', hint: 'se unlock', details: '{"path":"/x"}' })
})

test('every code of Connect has the status that connect-node gives it', (t) => {
  for (const code of Object.keys(CODES) as ErrorCode[]) {
    const { status, body } = connectErrorBody(createError(code, 'x'))
    const read = errorFromJson(JSON.parse(body), undefined, new ConnectError('none'))
    t.is(status, codeToHttpStatus(read.code), code)
  }
})

test('an error that is not ours is told as an internal fault, without its message', (t) => {
  const { status, body } = connectErrorBody(new Error('the value is hunter2'))
  t.is(status, 500)
  t.false(body.includes('hunter2'))
  t.is(errorFromConnectBody(status, body).code, 'SE_INTERNAL')
})

test('details that are no JSON are left out', (t) => {
  const { status, body } = connectErrorBody(createError('SE_LOCKED', 'locked', { details: { size: 1n } }))
  t.deepEqual(errorFromConnectBody(status, body).details, {})
})

test('an error of another program keeps its code, and its message where that is shown', (t) => {
  const error = errorFromConnectBody(404, foreign('not_found', 'secret\u001b[31m not found'))
  t.is(error.code, 'SE_NOT_FOUND')
  t.is(error.message, 'the daemon answered not_found: "secret\\u{1b}[31m not found"')
  const hidden = errorFromConnectBody(500, foreign('internal', 'the value is hunter2'), {
    who: 'the plugin x',
    codes: {},
    otherwise: 'SE_PLUGIN_FAILURE',
    shown: false,
  })
  t.is(hidden.message, 'the plugin x answered internal')
  t.is((hidden.cause as Error).message, 'the value is hunter2')
})

test('a body that is no Connect error is judged by its HTTP status', (t) => {
  t.is(errorFromConnectBody(503, '<html>').code, 'SE_DAEMON_UNREACHABLE')
  t.is(errorFromConnectBody(404, 'null').code, 'SE_DAEMON_INCOMPATIBLE')
  t.is(errorFromConnectBody(403, '[]').code, 'SE_ACCESS_DENIED')
  t.is(errorFromConnectBody(500, '').code, 'SE_INTERNAL')
})

test('a code of ours that is not known leaves the word to the code of Connect', (t) => {
  const detail = toBinary(FailureSchema, create(FailureSchema, { code: 'SE_OF_THE_FUTURE', message: 'x' }))
  const details = [{ type: 'senative.engine.v1.Failure', value: Buffer.from(detail).toString('base64') }]
  t.is(errorFromConnectBody(403, JSON.stringify({ code: 'permission_denied', details })).code, 'SE_ACCESS_DENIED')
})

test('a message of ours that holds control characters is made plain', (t) => {
  const { status, body } = connectErrorBody(createError('SE_LOCKED', 'a\u001b[2Jb\nc'))
  t.is(errorFromConnectBody(status, body).message, 'a\\u{1b}[2Jb\nc')
})

test('whatever the body and the detail hold, an error comes out', (t) => {
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.nat(999), fc.json(), fc.uint8Array(), (status, json, bytes) => {
        const details = [{ type: 'senative.engine.v1.Failure', value: Buffer.from(bytes).toString('base64') }]
        errorFromConnectBody(status, json)
        errorFromConnectBody(status, JSON.stringify({ code: json, message: json, details }))
        errorFromConnectBody(status, JSON.stringify({ code: 'internal', details: JSON.parse(json) }))
      }),
    ),
  )
})
