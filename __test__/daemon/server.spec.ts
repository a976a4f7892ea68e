import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync } from 'node:fs'
import { dirname } from 'node:path'
import { fromBinary, fromJsonString } from '@bufbuild/protobuf'
import test from 'ava'
import type { DaemonLimits } from '../../src/daemon/limits.js'
import { definePlugin, type Plugin, type PluginContext } from '../../src/engine/plugin.js'
import { createError } from '../../src/errors/secrets-error.js'
import { GetSecretsResponseSchema } from '../../src/gen/resolver/v1/resolver_pb.js'
import { Secret } from '../../src/secret.js'
import {
  type Answer,
  ask,
  GET_SECRETS,
  JSON_TYPE,
  plainBytes,
  RawCaller,
  rawRequest,
  send,
  startServer,
} from '../helpers/daemon-server.js'
import { asForeigner, FOREIGN_UID } from '../helpers/foreign.js'
import { hasProgram } from '../helpers/programs.js'

const body = JSON.stringify({ pattern: 'a/b' })
const turn = () => new Promise((resolve) => setImmediate(resolve))

function memory(values: Readonly<Record<string, string | Uint8Array>> = { 'a/b': 'v' }): Plugin {
  return definePlugin({
    name: 'memory',
    version: 'v1.0.0',
    pattern: '**',
    getSecrets: (pattern) =>
      Object.entries(values)
        .filter(([id]) => pattern.matches(id))
        .map(([id, value]) => ({ id, value })),
  })
}

/** A plugin that answers when it is told to. */
function held() {
  const contexts: PluginContext[] = []
  const waiting: (() => void)[] = []
  let wake: () => void = () => undefined
  let open: () => void = () => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  const plugin = definePlugin({
    name: 'held',
    version: 'v1.0.0',
    pattern: '**',
    getSecrets: async (pattern, context) => {
      contexts.push(context)
      wake()
      await opened
      return [{ id: pattern.text, value: 'v' }]
    },
  })
  const asked = async (count: number): Promise<void> => {
    while (contexts.length < count) {
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
  }
  return { plugin, contexts, waiting, open, asked }
}

/** The parts of an error that every limit tells. */
function limitOf({ status, body: text }: Pick<Answer, 'status' | 'body'>) {
  const { code, message, details } = JSON.parse(text.toString())
  const detail = Buffer.from(details[0].value, 'base64').toString()
  return { status, code, message, own: /SE_[A-Z_]+/.exec(detail)?.[0], limit: /"limit":"(\w+)"/.exec(detail)?.[1] }
}

function split(text: string): Answer {
  const [head = '', ...rest] = text.split('\r\n\r\n')
  return { status: Number(head.split(' ')[1]), headers: {}, body: Buffer.from(rest.join('\r\n\r\n'), 'latin1') }
}

test('a request is answered, and logged with its requester and without a value', async (t) => {
  const { path, requests } = await startServer(t.teardown, [memory({ 'a/b': 'canary' })])
  const { status, headers, body: answer } = await send(path, { body })
  t.is(status, 200)
  t.like(JSON.parse(answer.toString()).envelopes[0], {
    id: 'a/b',
    value: Buffer.from('canary').toString('base64'),
    provider: 'memory',
  })
  t.is(requests.length, 1)
  const [entry] = requests
  t.like(entry, { procedure: GET_SECRETS, patterns: ['a/b'], outcome: 'answered', secrets: 1, code: undefined })
  t.is(entry?.id, String(headers['x-request-id']))
  t.is(entry?.requester?.pid, process.pid)
  t.is(entry?.requester?.path, process.execPath)
  t.false(JSON.stringify(requests).includes('canary'))
})

test('requests that are sent without waiting are answered in their order', async (t) => {
  const { path } = await startServer(t.teardown, [memory({ a: '1', b: '2', c: '3' })])
  const caller = new RawCaller(path)
  caller.socket.write(['a', 'b', 'none', 'c'].map((id) => rawRequest(id)).join(''))
  for (const wanted of [/"id":"a"/, /"id":"b"/, /"code":"not_found"/, /"id":"c"/]) await caller.expect(wanted)
  caller.socket.end()
  t.is((await caller.end()).includes('HTTP/1.1'), false)
})

test('requests that come in pieces, cut anywhere, are answered in their order', async (t) => {
  const { path } = await startServer(t.teardown, [
    memory(Object.fromEntries(Array.from({ length: 9 }, (_, n) => [`id/${n}`, `${n}`]))),
  ])
  const ids = Array.from({ length: 40 }, (_, n) => `id/${n % 10}`)
  const wanted = ids.map((id) => (id === 'id/9' ? 'not_found' : id))
  let state = 7
  const random = (below: number): number => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0
    return (state >>> 8) % below
  }
  for (let round = 0; round < 12; round++) {
    const caller = new RawCaller(path)
    const requests = ids.map((id) => rawRequest(id))
    // At first each request by itself, then pieces of any length.
    const whole = round === 0 ? requests.length : random(requests.length)
    const rest = round === 0 ? '' : requests.slice(whole).join('')
    for (const request of requests.slice(0, whole)) caller.socket.write(request)
    for (let at = 0; at < rest.length; ) {
      const length = 1 + random(round % 2 === 0 ? 40 : 900)
      caller.socket.write(rest.slice(at, at + length))
      at += length
      if (random(3) > 0) await new Promise((resolve) => setImmediate(resolve))
    }
    const seen: string[] = []
    while (seen.length < ids.length)
      seen.push((await caller.expect(/"id":"([^"]+)"|"code":"(not_found)"/)).slice(1).find(Boolean) as string)
    t.deepEqual(seen, wanted)
    caller.socket.destroy()
  }
})

test('headers beyond the limit are told so', async (t) => {
  const { path } = await startServer(t.teardown, [memory()])
  const caller = new RawCaller(path)
  caller.socket.write(rawRequest('a/b', [`X-Long: ${'x'.repeat(20_000)}`]))
  t.like(limitOf(split(await caller.end())), {
    status: 431,
    code: 'resource_exhausted',
    own: 'SE_LIMIT_EXCEEDED',
    limit: 'maxHeaderBytes',
  })
  t.is((await send(path, { body })).status, 200)
})

test('headers that come too slowly are told so', async (t) => {
  const { path } = await startServer(t.teardown, [memory()], {
    limits: { headersTimeoutMs: 40, requestTimeoutMs: 4000 },
  })
  const caller = new RawCaller(path)
  caller.socket.write('POST / HTTP/1.1\r\nHost: x\r\n')
  t.like(limitOf(split(await caller.end())), {
    status: 408,
    code: 'resource_exhausted',
    own: 'SE_LIMIT_EXCEEDED',
    limit: 'requestTimeoutMs',
  })
})

test('a connection that never says anything is closed', async (t) => {
  const { path } = await startServer(t.teardown, [memory()], {
    limits: { headersTimeoutMs: 40, requestTimeoutMs: 4000 },
  })
  t.like(limitOf(split(await new RawCaller(path).end())), {
    status: 408,
    code: 'resource_exhausted',
    own: 'SE_LIMIT_EXCEEDED',
    limit: 'requestTimeoutMs',
  })
})

test('a body that comes too slowly is told so, and the request is over', async (t) => {
  const { path, server } = await startServer(t.teardown, [memory()], {
    limits: { headersTimeoutMs: 1000, requestTimeoutMs: 1500 },
  })
  const caller = new RawCaller(path)
  caller.socket.write(rawRequest('a/b').slice(0, -3))
  t.like(limitOf(split(await caller.end())), {
    status: 408,
    code: 'resource_exhausted',
    own: 'SE_LIMIT_EXCEEDED',
    limit: 'requestTimeoutMs',
  })
  await caller.closed
  t.is((await send(path, { body })).status, 200)
  t.is(server.activeRequests, 0)
})

const long = JSON.stringify({ pattern: 'a/b', x: 'x'.repeat(70_000) })
for (const [name, path] of [
  ['GetSecrets', GET_SECRETS],
  ['ListPlugins', '/plugins.v1.PluginManagementService/ListPlugins'],
  ['Unlock', '/senative.engine.v1.EngineService/Unlock'],
]) {
  for (const headers of [
    { ...JSON_TYPE, 'content-length': String(long.length) },
    { ...JSON_TYPE, 'transfer-encoding': 'chunked' },
  ]) {
    test(`a body of ${name} beyond the limit is told so: ${Object.keys(headers)[1]}`, async (t) => {
      const { path: socketPath } = await startServer(t.teardown, [memory()])
      const answer = await send(socketPath, { path: path as string, headers, body: long })
      t.like(limitOf(answer), {
        status: 413,
        code: 'resource_exhausted',
        own: 'SE_LIMIT_EXCEEDED',
        limit: 'maxBodyBytes',
      })
    })
  }
}

test('a body beyond the limit is told so, too, where it comes whole and is written as usual', async (t) => {
  const { path } = await startServer(t.teardown, [memory()], { limits: { maxBodyBytes: 20 } })
  const caller = new RawCaller(path)
  caller.socket.write(rawRequest('a/b'))
  await caller.expect(/"id":"a\/b"[^]*\]\}$/)
  caller.socket.write(rawRequest('a/b/c/d'))
  const [refused] = await caller.expect(/^HTTP\/1.1 \d+ [^]*\}$/)
  t.regex(refused, /^HTTP\/1.1 413 [^]*"the body of a request may have at most 20 bytes"/)
  // Where one request has left the way of usual ones, all that come after it have.
  caller.socket.write(rawRequest('a/b'))
  await caller.expect(/"id":"a\/b"/)
  caller.socket.destroy()
})

test('the connection of a body beyond the limit carries the next request', async (t) => {
  const { path } = await startServer(t.teardown, [memory()])
  const caller = new RawCaller(path)
  caller.socket.write(`POST ${GET_SECRETS} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n`)
  await caller.expect(/SE_LIMIT|resource_exhausted/)
  caller.socket.write(Buffer.alloc(1_000_000))
  caller.socket.write(rawRequest('a/b'))
  await caller.expect(/"id":"a\/b"/)
  caller.socket.destroy()
  t.pass()
})

test('a batch may be longer than other requests, and has its own limits', async (t) => {
  const { path } = await startServer(t.teardown, [memory()])
  const patterns = Array.from({ length: 9000 }, (_, n) => `some/id/number/${n}`)
  t.is((await ask(path, 'GetBatch', { patterns })).json.results.length, 9000)
  const more = Array.from({ length: 10_001 }, (_, n) => `${n}`)
  t.like(limitOf(await ask(path, 'GetBatch', { patterns: more })), {
    status: 429,
    code: 'resource_exhausted',
    own: 'SE_LIMIT_EXCEEDED',
    limit: 'maxPatterns',
  })
  const longer = Array.from({ length: 10_000 }, (_, n) => `${'x'.repeat(200)}${n}`)
  t.like(limitOf(await ask(path, 'GetBatch', { patterns: longer })), {
    status: 413,
    code: 'resource_exhausted',
    own: 'SE_LIMIT_EXCEEDED',
    limit: 'maxBatchBytes',
  })
})

test('requests beyond the limit are told so, and those before them are answered', async (t) => {
  const { plugin, open, asked } = held()
  const { path, server } = await startServer(t.teardown, [plugin], { limits: { maxRequests: 3 } })
  const running = [1, 2, 3].map((n) => send(path, { body: JSON.stringify({ pattern: `id/${n}` }) }))
  await asked(3)
  t.is(server.activeRequests, 3)
  t.like(limitOf(await send(path, { body })), {
    status: 429,
    code: 'resource_exhausted',
    own: 'SE_LIMIT_EXCEEDED',
    limit: 'maxRequests',
  })
  open()
  t.deepEqual(
    (await Promise.all(running)).map(({ status }) => status),
    [200, 200, 200],
  )
  t.is((await send(path, { body })).status, 200)
})

test('connections beyond the limit are told so with their first request, and those far beyond are closed', async (t) => {
  const { path, events } = await startServer(t.teardown, [memory()], { limits: { maxConnections: 2 } })
  const kept = [new RawCaller(path), new RawCaller(path)]
  await Promise.all(kept.map(({ socket }) => once(socket, 'connect')))
  const answer = await send(path, { body })
  t.like(limitOf(answer), {
    status: 429,
    code: 'resource_exhausted',
    own: 'SE_LIMIT_EXCEEDED',
    limit: 'maxConnections',
  })
  t.is(answer.headers.connection, 'close')
  const spare = Array.from({ length: 64 }, () => new RawCaller(path))
  await Promise.all(spare.map(({ socket }) => once(socket, 'connect')))
  t.is(await new RawCaller(path).end(), '')
  t.deepEqual(
    events.map(({ message }) => message),
    ['a connection was refused'],
  )
  for (const { socket } of [...kept.slice(1), ...spare]) socket.destroy()
  await Promise.all(spare.map(({ closed }) => closed))
  kept[0]?.socket.write(rawRequest('a/b'))
  await kept[0]?.expect(/"id":"a\/b"/)
  kept[0]?.socket.destroy()
})

const LARGE: readonly [name: string, limits: Partial<DaemonLimits>][] = [
  ['more secrets than one answer may have', { maxEnvelopes: 9 }],
  ['more bytes than one answer may have', { maxAnswerBytes: 10_000 }],
  ['more bytes than all answers may have', { maxPendingBytes: 10_000 }],
]
for (const [name, limits] of LARGE) {
  test(`an answer is refused that would hold ${name}`, async (t) => {
    const values = Object.fromEntries(Array.from({ length: 10 }, (_, n) => [`${n}`, new Uint8Array(1000)]))
    const { path } = await startServer(t.teardown, [memory(values)], { limits })
    const all = { body: '{"pattern":"**"}' }
    t.like(limitOf(await send(path, all)), {
      status: 429,
      code: 'resource_exhausted',
      own: 'SE_LIMIT_EXCEEDED',
      limit: Object.keys(limits)[0],
    })
    t.like(limitOf(await ask(path, 'GetBatch', { patterns: ['**'] })), {
      status: 429,
      own: 'SE_LIMIT_EXCEEDED',
      limit: Object.keys(limits)[0],
    })
    t.is((await send(path, { body: '{"pattern":"1"}' })).status, 200)
  })
}

test('a caller that does not read is cut off, and what it was sent counts until then', async (t) => {
  const { path, server, requests } = await startServer(t.teardown, [memory({ big: new Uint8Array(600_000) })], {
    limits: { maxPendingBytes: 1_500_000, answerTimeoutMs: 1500 },
  })
  const caller = new RawCaller(path)
  caller.socket.pause()
  caller.socket.write(rawRequest('big'))
  while (requests.length === 0) await new Promise((resolve) => setImmediate(resolve))
  const big = { body: '{"pattern":"big"}' }
  t.like(limitOf(await send(path, big)), {
    status: 429,
    code: 'resource_exhausted',
    own: 'SE_LIMIT_EXCEEDED',
    limit: 'maxPendingBytes',
  })
  t.is(server.activeRequests, 1)
  // Its connection ends without our reading it.
  while (server.activeRequests > 0) await new Promise((resolve) => setImmediate(resolve))
  t.is((await send(path, big)).status, 200)
  caller.socket.destroy()
})

for (const form of ['json', 'proto'] as const) {
  test(`answers that a caller does not read at once come whole when it does, in ${form}`, async (t) => {
    const value = Buffer.alloc(8192, 'v')
    const { path, server, requests } = await startServer(t.teardown, [memory({ a: value })])
    const caller = new RawCaller(path)
    caller.socket.pause()
    const body = form === 'json' ? '{"pattern":"a"}' : '\n\u0001a'
    const request = plainBytes({ headers: { 'content-type': `application/${form}` }, body })
    // One after the other, until the socket has no room for an answer.
    let sent = 0
    for (let idle = 0; idle < 3; ) {
      caller.socket.write(request)
      sent++
      while (requests.length < sent && server.activeRequests === 0) await turn()
      await turn()
      idle = server.activeRequests > 0 ? idle + 1 : 0
    }
    caller.socket.resume()
    for (let n = 0; n < sent; n++) {
      const [, length] = await caller.expect(/^HTTP\/1\.1 200 OK\r\n[^]*?Content-Length: (\d+)\r\n\r\n/)
      const message = await caller.take(Number(length))
      const [envelope] =
        form === 'json'
          ? fromJsonString(GetSecretsResponseSchema, message).envelopes
          : fromBinary(GetSecretsResponseSchema, Buffer.from(message, 'latin1')).envelopes
      t.true(value.equals(envelope?.value ?? new Uint8Array()))
    }
    while (server.activeRequests > 0) await turn()
    t.is(requests.length, sent)
    caller.socket.destroy()
  })
}

for (const [name, leave] of [
  ['closes its connection', (caller: RawCaller) => caller.socket.destroy()],
  ['closes its half of it', (caller: RawCaller) => caller.socket.end()],
] as const) {
  test(`a caller that ${name} ends its request: the plugin is told`, async (t) => {
    const { plugin, contexts, asked } = held()
    const { path, server, requests } = await startServer(t.teardown, [plugin])
    const caller = new RawCaller(path)
    caller.socket.write(rawRequest('a/b'))
    await asked(1)
    const signal = contexts[0]?.signal as AbortSignal
    leave(caller)
    if (!signal.aborted) await once(signal, 'abort')
    caller.socket.destroy()
    while (server.activeRequests > 0) await new Promise((resolve) => setImmediate(resolve))
    t.like(requests, [{ outcome: 'abandoned', patterns: ['a/b'], secrets: 0 }])
  })
}

test('a caller that sends on while its request runs is read no further until it is answered', async (t) => {
  const { plugin, open, asked, contexts } = held()
  const { path, server } = await startServer(t.teardown, [plugin])
  const caller = new RawCaller(path)
  caller.socket.write(rawRequest('a'))
  await asked(1)
  for (const id of ['b', 'c']) caller.socket.write(rawRequest(id))
  // A whole turn of the server's loop later they are still not asked for.
  await send(path, { path: '/health', method: 'GET', headers: {} })
  t.is(contexts.length, 1)
  t.is(server.activeRequests, 1)
  open()
  for (const id of ['a', 'b', 'c']) await caller.expect(new RegExp(`"id":"${id}"`))
  caller.socket.destroy()
})

test('a connection that carried a request is closed after it was idle for too long', async (t) => {
  const { path } = await startServer(t.teardown, [memory()], {
    limits: { keepAliveTimeoutMs: 50, headersTimeoutMs: 4000, requestTimeoutMs: 8000 },
  })
  for (const headers of [[], ['X-Other: 1']]) {
    const caller = new RawCaller(path)
    caller.socket.write(rawRequest('a/b', headers))
    const answered = await caller.end()
    t.regex(answered, /^HTTP\/1.1 200 OK[^]*"id":"a\/b"[^]*\}$/)
  }
})

test('what is not HTTP is told so, and the next request is served', async (t) => {
  const { path } = await startServer(t.teardown, [memory()])
  for (const garbage of [
    '\0\0\0\0\r\n\r\n',
    'GET\r\n\r\n',
    'GET / HTTP/9.9\r\n\r\n',
    'POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n',
    '\x16\x03\x01\x02\x00\x01',
  ]) {
    const caller = new RawCaller(path)
    caller.socket.write(garbage, 'latin1')
    const { status, body: text } = split(await caller.end())
    t.is(status, 400, garbage)
    t.is(JSON.parse(text.toString()).code, 'invalid_argument')
  }
  t.is((await send(path, { body })).status, 200)
})

test('requests without a host, of HTTP/1.0, and with Expect are answered', async (t) => {
  const { path } = await startServer(t.teardown, [memory()])
  const old = new RawCaller(path)
  old.socket.write(rawRequest('a/b').replace('HTTP/1.1', 'HTTP/1.0').replace('Host: unix\r\n', ''))
  t.regex(await old.end(), /"id":"a\/b"/)
  const careful = new RawCaller(path)
  const [head, text] = rawRequest('a/b', ['Expect: 100-continue']).split('\r\n\r\n')
  careful.socket.write(`${head}\r\n\r\n`)
  await careful.expect(/^HTTP\/1.1 100 /)
  careful.socket.write(text as string)
  await careful.expect(/"id":"a\/b"/)
  careful.socket.destroy()
})

const foreigners = [asForeigner(), asForeigner(FOREIGN_UID - 1)]
const withForeigners = foreigners.includes(undefined) || !hasProgram('curl') ? test.skip : test

withForeigners('a foreign user is refused before a byte is read, and one that is allowed is served', async (t) => {
  const allowedUids = [process.getuid?.() ?? 0, FOREIGN_UID - 1]
  const { path, events, requests } = await startServer(t.teardown, [memory()], { allowedUids })
  chmodSync(dirname(path), 0o711)
  chmodSync(path, 0o666)
  const run = async (foreigner: readonly string[] = []): Promise<[unknown, string]> => {
    const curl = ['curl', '-sS', '--unix-socket', path, '-d', body, '-H', 'Content-Type: application/json']
    const [program = '', ...args] = [...foreigner, ...curl, `http://unix${GET_SECRETS}`]
    const child = spawn(program, args)
    let out = ''
    child.stdout.on('data', (chunk) => {
      out += chunk
    })
    const [status] = await once(child, 'close')
    return [status, out]
  }
  const [status, out] = await run(foreigners[0])
  t.not(status, 0)
  t.is(out, '')
  t.is(requests.length, 0)
  t.like(events, [{ level: 'warn', message: 'a connection was refused', facts: { uid: FOREIGN_UID, refusals: 1 } }])
  const [ok, answer] = await run(foreigners[1])
  t.is(ok, 0)
  t.regex(answer, /"id":"a\/b"/)
})

test('a server answers on every socket it was given', async (t) => {
  const { path, listen } = await startServer(t.teardown, [memory()])
  t.is((await send(path, { body })).status, 200)
  t.is((await send(listen(), { body })).status, 200)
})

test('drain finishes what runs, takes nothing new, and closes idle connections', async (t) => {
  const { plugin, open, asked } = held()
  const { path, server } = await startServer(t.teardown, [plugin])
  const idle = new RawCaller(path)
  await once(idle.socket, 'connect')
  const running = [1, 2].map(() => new RawCaller(path))
  running[0]?.socket.write(rawRequest('x'))
  running[1]?.socket.write(rawRequest('y') + rawRequest('z'))
  await asked(3)
  const drained = server.drain(60_000)
  t.is(await idle.end(), '')
  const refused = new RawCaller(path)
  t.is(await refused.end(), '')
  open()
  t.regex(await (running[0] as RawCaller).end(), /Connection: close[^]*"id":"x"/)
  t.regex(await (running[1] as RawCaller).end(), /keep-alive[^]*"id":"y"[^]*Connection: close[^]*"id":"z"/)
  await drained
  t.is(server.activeRequests, 0)
})

test('drain answers a request that came by itself while the one before it ran', async (t) => {
  const { plugin, open, asked, contexts } = held()
  const { path, server } = await startServer(t.teardown, [plugin])
  const caller = new RawCaller(path)
  caller.socket.write(rawRequest('a'))
  await asked(1)
  caller.socket.write(rawRequest('b'))
  // A whole turn of the server's loop later it was read.
  await send(path, { path: '/health', method: 'GET', headers: {} })
  const drained = server.drain(60_000)
  open()
  t.regex(await caller.end(), /keep-alive[^]*"id":"a"[^]*Connection: close[^]*"id":"b"/)
  await drained
  t.is(contexts.length, 2)
})

test('a secret that its plugin disposes while others are asked is an error that is told', async (t) => {
  const kept = Secret.from('a/b', Buffer.from('v'))
  const careless = definePlugin({ name: 'careless', version: 'v1.0.0', pattern: 'a/*', getSecrets: () => [kept] })
  const late = definePlugin({
    name: 'late',
    version: 'v1.0.0',
    pattern: '**',
    getSecrets: async () => {
      await turn()
      kept.dispose()
      return []
    },
  })
  const { path, requests } = await startServer(t.teardown, [careless, late])
  const caller = new RawCaller(path)
  caller.socket.write(rawRequest('a/b'))
  await caller.expect(/HTTP\/1.1 400[^]*"code":"failed_precondition"/)
  t.like(requests, [{ outcome: 'failed', code: 'SE_DISPOSED' }])
  caller.socket.write(rawRequest('none'))
  await caller.expect(/HTTP\/1.1 404/)
  caller.socket.destroy()
})

test('drain answers requests that arrived before it and were not read yet', async (t) => {
  const { path, server } = await startServer(t.teardown, [memory()])
  const callers = Array.from({ length: 50 }, () => new RawCaller(path))
  for (const caller of callers) caller.socket.write(rawRequest('a/b'))
  await Promise.all(callers.map((caller) => caller.expect(/"id":"a\/b"[^]*\}\]\}$/)))
  // Some connect, and all of it is written by the time that drain begins; nothing of it is read.
  callers.push(...Array.from({ length: 20 }, () => new RawCaller(path)))
  await Promise.all(callers.slice(50).map(({ socket }) => once(socket, 'connect')))
  for (const caller of callers) caller.socket.write(rawRequest('a/b'))
  const drained = server.drain(60_000)
  for (const caller of callers) t.regex(await caller.end(), /"id":"a\/b"/)
  await drained
})

test('drain cuts off what does not finish in time', async (t) => {
  const { plugin, asked, contexts } = held()
  const { path, server } = await startServer(t.teardown, [plugin])
  const caller = new RawCaller(path)
  caller.socket.write(rawRequest('a/b'))
  await asked(1)
  await server.drain(1)
  t.is(await caller.end(), '')
  t.true(contexts[0]?.signal.aborted)
})

test('a session begins with the bytes that came after the request, and outlives a drain', async (t) => {
  let taken: ((seen: [string, number]) => void) | undefined
  const seen = new Promise<[string, number]>((resolve) => {
    taken = resolve
  })
  const { path, server } = await startServer(t.teardown, [memory()], {
    onHijack: (socket, head, requester) => {
      taken?.([head.toString(), requester.pid])
      socket.on('data', (chunk) => socket.write(chunk))
    },
  })
  const caller = new RawCaller(path)
  caller.socket.write(
    'GET /hijack HTTP/1.1\r\nHost: secrets-engine.localhost\r\nConnection: upgrade\r\nUpgrade: tcp\r\n\r\nfirst',
  )
  await caller.expect(/^HTTP\/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: tcp\r\n\r\n/)
  t.deepEqual(await seen, ['first', process.pid])
  await server.drain(60_000)
  caller.socket.write('still there')
  await caller.expect(/still there/)
  await server.close()
  t.is(await caller.end(), '')
})

for (const [name, request, status] of [
  ['without the headers', 'GET /hijack HTTP/1.1\r\nHost: x\r\n\r\n', 426],
  ['to another protocol', 'GET /hijack HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n', 426],
  ['by POST', 'POST /hijack HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: tcp\r\n\r\n', 426],
  ['elsewhere', 'GET /other HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: tcp\r\n\r\n', 404],
] as const) {
  test(`a session does not begin ${name}`, async (t) => {
    const { path } = await startServer(t.teardown)
    const caller = new RawCaller(path)
    caller.socket.write(request)
    await caller.expect(new RegExp(`^HTTP/1.1 ${status} `))
    caller.socket.write('GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')
    t.regex(await caller.end(), /HTTP\/1.1 200 OK[^]*ok$/, 'the connection goes on')
  })
}

test('a request that would go to HTTP/2 is answered in HTTP/1.1, with its body', async (t) => {
  const { path } = await startServer(t.teardown)
  const caller = new RawCaller(path)
  const upgrade = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA']
  const [head, body] = rawRequest('none', upgrade).split(/(?<=\r\n\r\n)/) as [string, string]
  for (const pieces of [[head + body], [head, body]]) {
    for (const piece of pieces) {
      caller.socket.write(piece)
      await new Promise((resolve) => setImmediate(resolve))
    }
    await caller.expect(/^HTTP\/1.1 404 [^]*"not_found".*$/)
  }
  caller.socket.destroy()
  t.pass()
})

test('a status that HTTP has no words for is written as Node writes it', async (t) => {
  const plugin = definePlugin({
    name: 'gone',
    version: 'v1.0.0',
    pattern: '**',
    getSecrets: () => {
      throw createError('SE_ABORTED', 'given up')
    },
  })
  const { path } = await startServer(t.teardown, [plugin])
  for (const headers of [[], ['X-Other: 1']]) {
    const caller = new RawCaller(path)
    caller.socket.write(rawRequest('a/b', headers))
    await caller.expect(/^HTTP\/1.1 499 unknown\r\n/)
    caller.socket.destroy()
  }
  t.pass()
})

test('the connection of a session that was refused is gone, whether its caller closes it or not', async (t) => {
  const { path, server } = await startServer(t.teardown, [memory()], { limits: { maxConnections: 0 } })
  const caller = new RawCaller(path)
  caller.socket.write('GET /hijack HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: tcp\r\n\r\n')
  await caller.expect(/^HTTP\/1.1 503 [^]*no more connections are taken\n$/)
  await server.drain(2 ** 31 - 1)
  t.is(await caller.end(), '')
})
