import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import test from 'ava'
import { createError } from '../../src/errors/secrets-error.js'
import {
  CheckAccessRequestSchema,
  CheckAccessResponseSchema,
  Decision,
} from '../../src/gen/accesscontrol/v1/accesscontrol_pb.js'
import { GetSecretsRequestSchema } from '../../src/gen/resolver/v1/resolver_pb.js'
import { connectErrorBody } from '../../src/wire/failure-detail.js'
import { answer, fail, type Handler, registered } from '../helpers/plugin-session.js'

const gatekeeper = {
  name: 'gate',
  version: 'v1.0.0',
  metadata: { case: 'accessControlModule', value: {} },
} as const

test('secrets come with their values, facts and times', async (t) => {
  const big = randomBytes(1024 * 1024)
  const created = new Date('2020-01-02T03:04:05.678Z')
  let pattern: string | undefined
  const { session } = await registered(t, (request, response, body) => {
    t.is(request.url, '/resolver.v1.ResolverService/GetSecrets')
    t.is(request.headers['content-type'], 'application/proto')
    t.is(request.headers['connect-timeout-ms'], '10000')
    pattern = fromBinary(GetSecretsRequestSchema, body).pattern
    answer(response, [
      { id: 'a/big', value: big, provider: 'x', version: '42', metadata: { owner: 'Zoë 🦊', '': '\u0000' } },
      { id: 'a/empty', value: new Uint8Array(0), createdAt: timestampFromDate(created) },
      {
        id: 'a/utf8',
        value: Buffer.from('pässword\n'),
        expiresAt: timestampFromDate(new Date('2999-12-31T23:59:59Z')),
      },
    ])
  })
  const secrets = await session.getSecrets('a/**')
  t.is(pattern, 'a/**')
  t.deepEqual(
    secrets.map(({ id, byteLength }) => [id, byteLength]),
    [
      ['a/big', big.length],
      ['a/empty', 0],
      ['a/utf8', 10],
    ],
  )
  t.true(secrets[0]?.equals(big))
  t.like(secrets[0], { version: '42', metadata: { owner: 'Zoë 🦊', '': '\u0000' }, createdAt: undefined })
  t.deepEqual(secrets[1]?.createdAt, created)
  t.deepEqual(secrets[2]?.expiresAt, new Date('2999-12-31T23:59:59Z'))
  t.is(secrets[2]?.text(), 'pässword\n')
})

test('the bytes that brought a value are wiped', async (t) => {
  const value = randomBytes(300_000)
  const { session, here } = await registered(t, (_request, response) => answer(response, [{ id: 'a/b', value }]))
  const chunks: Buffer[] = []
  here.on('data', (chunk: Buffer) => chunks.push(chunk))
  const [secret] = await session.getSecrets('a/b')
  t.true(secret?.equals(value))
  const brought = Buffer.concat(chunks)
  t.true(brought.length > value.length)
  for (let at = 0; at < value.length; at += 1000) t.false(brought.includes(value.subarray(at, at + 16)))
})

test('an answer may come in chunks and in pieces', async (t) => {
  const value = randomBytes(5000)
  const { session } = await registered(t, async (_request, response) => {
    const head = Buffer.from([0x0a, 0x8e, 0x27, 0x0a, 0x01, 0x61, 0x12, 0x88, 0x27])
    response.setHeader('Content-Type', 'application/proto')
    for (const byte of head) response.write(Buffer.from([byte]))
    for (let at = 0; at < value.length; at += 700) {
      response.write(value.subarray(at, at + 700))
      await new Promise((resolve) => setImmediate(resolve))
    }
    response.end()
  })
  const [secret] = await session.getSecrets('a')
  t.true(secret?.equals(value))
})

test('not_found and an empty answer are no secrets', async (t) => {
  let calls = 0
  const { session } = await registered(t, (_request, response) => {
    if (calls++ === 0) fail(response, 404, '{"code":"not_found","message":"secret not found"}')
    else answer(response, [])
  })
  t.deepEqual(await session.getSecrets('a/b'), [])
  t.deepEqual(await session.getSecrets('a/b'), [])
  t.is(calls, 2)
})

const ERRORS: [status: number, code: string, ours: string][] = [
  [500, 'internal', 'SE_PLUGIN_FAILURE'],
  [500, 'unknown', 'SE_PLUGIN_FAILURE'],
  [400, 'invalid_argument', 'SE_PLUGIN_FAILURE'],
  [403, 'permission_denied', 'SE_ACCESS_DENIED'],
  [401, 'unauthenticated', 'SE_ACCESS_DENIED'],
  [400, 'failed_precondition', 'SE_LOCKED'],
  [503, 'unavailable', 'SE_PLUGIN_UNAVAILABLE'],
  [504, 'deadline_exceeded', 'SE_TIMEOUT'],
  [429, 'resource_exhausted', 'SE_LIMIT_EXCEEDED'],
  [501, 'unimplemented', 'SE_PLUGIN_FAILURE'],
]

for (const [status, code, ours] of ERRORS)
  test(`a plugin's ${code} is ${ours}, and its message stays the cause`, async (t) => {
    const { session } = await registered(t, (_request, response) =>
      fail(response, status, JSON.stringify({ code, message: 'the value is hunter2' })),
    )
    const error = await t.throwsAsync(session.getSecrets('a/b'), { code: ours })
    t.is(error.message, `the plugin test answered ${code}`)
    t.is((error.cause as Error).message, 'the value is hunter2')
  })

test('an error of a plugin of ours comes as it was', async (t) => {
  const sent = createError('SE_PROMPT_DISMISSED', 'you said no', { hint: 'say yes', details: { id: 'a/b' } })
  const { session } = await registered(t, (_request, response) => {
    const { status, body } = connectErrorBody(sent)
    fail(response, status, body)
  })
  const error = await t.throwsAsync(session.getSecrets('a/b'))
  t.deepEqual((error as typeof sent).toJSON(), sent.toJSON())
})

const GARBAGE: Record<string, Handler> = {
  'a message that is none': (_request, response) => {
    response.setHeader('Content-Type', 'application/proto')
    response.end('garbage')
  },
  'another media type': (_request, response) => {
    response.setHeader('Content-Type', 'text/html')
    response.end('<html>')
  },
  'no HTTP': (request) => {
    request.socket.end('garbage\r\n\r\n')
  },
  nothing: (request) => {
    request.socket.end()
  },
  'half of a message': (request) => {
    request.socket.end('HTTP/1.1 200 OK\r\nContent-Type: application/proto\r\nContent-Length: 100\r\n\r\nhello')
  },
  'a reset': (request) => {
    request.socket.destroy()
  },
}

for (const [what, handler] of Object.entries(GARBAGE))
  test(`a plugin that answers with ${what} has failed, and the session goes on`, async (t) => {
    let calls = 0
    const { session } = await registered(t, (request, response, body) => {
      if (calls++ === 0) handler(request, response, body)
      else answer(response, [{ id: 'a/b' }])
    })
    await t.throwsAsync(session.getSecrets('a/b'), { code: 'SE_PLUGIN_FAILURE' })
    t.is((await session.getSecrets('a/b')).length, 1)
  })

test('more secrets than an answer may hold are refused', async (t) => {
  const { session } = await registered(t, (_request, response) => {
    response.setHeader('Content-Type', 'application/proto')
    response.end(Buffer.alloc(2 * 100_001, Buffer.from([0x0a, 0x00])))
  })
  await t.throwsAsync(session.getSecrets('a/**'), { code: 'SE_LIMIT_EXCEEDED' })
})

test('an abort ends the waiting, and the plugin hears of it', async (t) => {
  const controller = new AbortController()
  let heard: Promise<unknown> | undefined
  const { session } = await registered(t, (_request, response) => {
    heard = once(response, 'close')
    controller.abort()
  })
  const { signal } = controller
  await t.throwsAsync(session.getSecrets('a/b', { signal }), {
    code: 'SE_ABORTED',
    message: 'asking the plugin test for a/b was abandoned by the caller',
  })
  await t.notThrowsAsync(heard as Promise<unknown>)
})

test.serial('a plugin that takes too long is given up, and hears of it', async (t) => {
  const { session, plugin } = await registered(t)
  const heard = new Promise<void>((resolve) => {
    plugin.handler = (request, response) => {
      t.is(request.headers['connect-timeout-ms'], '500')
      response.once('close', () => resolve())
    }
  })
  await t.throwsAsync(session.getSecrets('a/b', { timeoutMs: 500 }), { code: 'SE_TIMEOUT' })
  await t.notThrowsAsync(heard)
})

test('a session that breaks in the middle of an answer fails what is under way at once', async (t) => {
  const { session, plugin } = await registered(t, (_request, response) => {
    response.writeHead(200, { 'Content-Type': 'application/proto', 'Content-Length': 1000 })
    response.write('hello', () => plugin.socket.destroy())
  })
  const error = { code: 'SE_PLUGIN_UNAVAILABLE' }
  await Promise.all([
    t.throwsAsync(session.getSecrets('a/b', { timeoutMs: 600_000 }), error),
    t.throwsAsync(session.health(), error),
  ])
  t.is((await session.closed)?.code, 'SE_PLUGIN_UNAVAILABLE')
  await t.throwsAsync(session.getSecrets('a/b'), error)
})

test('closing the session fails what is under way', async (t) => {
  const { session, plugin } = await registered(t, () => session.close())
  await t.throwsAsync(session.getSecrets('a/b'), { code: 'SE_PLUGIN_UNAVAILABLE', message: /closed here/ })
  t.is(await session.closed, undefined)
  t.truthy(await plugin.session.closed)
})

test('a thousand requests at once are answered, 128 at a time', async (t) => {
  let now = 0
  let most = 0
  const { session } = await registered(t, (_request, response, body) => {
    most = Math.max(most, ++now)
    setImmediate(() => {
      now--
      answer(response, [{ id: fromBinary(GetSecretsRequestSchema, body).pattern, value: body }])
    })
  })
  const ids = Array.from({ length: 1000 }, (_, index) => `a/${index}`)
  const answers = await Promise.all(ids.map((id) => session.getSecrets(id)))
  t.deepEqual(
    answers.map(([secret]) => secret?.id),
    ids,
  )
  t.true(most <= 128 && most > 1, `${most}`)
})

test('a request that waits for its turn can be given up', async (t) => {
  const { session } = await registered(t)
  const controller = new AbortController()
  const { signal } = controller
  const all = Array.from({ length: 200 }, () => session.getSecrets('a/b', { signal }))
  const late = session.getSecrets('a/b', { timeoutMs: 20 })
  await t.throwsAsync(late, { code: 'SE_TIMEOUT' })
  controller.abort()
  const settled = await Promise.allSettled(all)
  t.true(settled.every((result) => result.status === 'rejected' && result.reason.code === 'SE_ABORTED'))
})

test('an access control module decides', async (t) => {
  const asked: unknown[] = []
  const handler: Handler = (request, response, body) => {
    t.is(request.url, '/accesscontrol.v1.AccessControlService/CheckAccess')
    const { pattern, requester } = fromBinary(CheckAccessRequestSchema, body)
    asked.push([pattern, requester?.pid, requester?.name, requester?.absoluteBinaryPath])
    const decision = pattern === 'a/good' ? Decision.ALLOW : Decision.DENY
    response.setHeader('Content-Type', 'application/proto')
    response.end(toBinary(CheckAccessResponseSchema, create(CheckAccessResponseSchema, { decision })))
  }
  const { session } = await registered(t, handler, {}, gatekeeper)
  t.is(session.kind, 'access control')
  const requester = { pid: 7, name: 'curl', path: '/usr/bin/curl' }
  t.true(await session.checkAccess('a/good', requester))
  t.false(await session.checkAccess('a/bad', requester))
  t.deepEqual(asked, [
    ['a/good', 7, 'curl', '/usr/bin/curl'],
    ['a/bad', 7, 'curl', '/usr/bin/curl'],
  ])
})

test('an access control module that fails has not decided', async (t) => {
  let calls = 0
  const handler: Handler = (_request, response) => {
    if (calls++ === 0) return fail(response, 500, '{"code":"internal"}')
    response.setHeader('Content-Type', 'application/proto')
    response.end('garbage')
  }
  const { session } = await registered(t, handler, {}, gatekeeper)
  const requester = { pid: 7, name: 'curl', path: '/usr/bin/curl' }
  await t.throwsAsync(session.checkAccess('a/b', requester), { code: 'SE_PLUGIN_FAILURE' })
  await t.throwsAsync(session.checkAccess('a/b', requester), { code: 'SE_PLUGIN_FAILURE' })
})

test('a plugin that is not well says so', async (t) => {
  let calls = 0
  const { session } = await registered(t, (_request, response) => {
    response.statusCode = calls++ === 0 ? 200 : 500
    response.end('ok')
  })
  await session.health()
  await t.throwsAsync(session.health(), { code: 'SE_PLUGIN_UNAVAILABLE', message: /answered 500/ })
})

test('shutdown asks the plugin to end, and waits for it', async (t) => {
  const paths: (string | undefined)[] = []
  const { session, plugin } = await registered(t, (request, response) => {
    paths.push(request.url)
    response.once('close', () => plugin.session.close())
    response.setHeader('Content-Type', 'application/proto')
    response.end()
  })
  await session.shutdown()
  t.deepEqual(paths, ['/plugins.v1.PluginService/Shutdown'])
  t.is((await session.closed)?.code, 'SE_PLUGIN_UNAVAILABLE')
})

test('shutdown does not wait for ever', async (t) => {
  const { session, plugin } = await registered(t)
  await session.shutdown()
  t.is(await session.closed, undefined)
  t.truthy(await plugin.session.closed)
  await t.notThrowsAsync(session.shutdown())
})
