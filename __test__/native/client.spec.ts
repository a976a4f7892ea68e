import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Secret } from '../../src/index.js'
import { native, platformName } from '../../src/native/load.js'
import { unwrap } from '../../src/native/outcome.js'
import { handleOf } from '../../src/secret.js'

const unix = process.platform === 'win32' ? test.skip : test
const uid = process.getuid?.() ?? 0

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void

/** A server that answers as the test says, a client of it, and how many connections there were. */
async function serve(t: ExecutionContext, handler: Handler) {
  const folder = mkdtempSync(join(tmpdir(), 'se-client-'))
  const address = join(folder, 's')
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    handler(request, response, body)
  })
  const counted = { connections: 0 }
  server.on('connection', () => counted.connections++)
  server.listen({ fd: unwrap(native().listenUnix(address)) })
  await once(server, 'listening')
  t.teardown(() => {
    server.close()
    server.closeAllConnections()
    rmSync(folder, { recursive: true })
  })
  const client = unwrap(native().openDaemonClient(address, uid))
  const ask = (body = '{}', timeoutMs?: number) => client.call('/a.B/C', body, [], timeoutMs).reply()
  return { address, server, client, ask, counted }
}

unix('a call is a unary Connect request in JSON, its values in base64', async (t) => {
  const { client } = await serve(t, (request, response, body) => {
    const { method, url, headers } = request
    response.end(JSON.stringify({ method, url, headers, body: JSON.parse(body) }))
  })
  const secret = Secret.from('a', 'hunter2')
  const call = client.call('/a.B/C', '{"x":"ü","passphrase":"\0"}', [handleOf(secret)], 1234.5)
  const { status, envelopes, body } = unwrap(await call.reply())
  t.is(status, 200)
  t.deepEqual(envelopes, [])
  const seen = JSON.parse(body)
  t.like(seen, { method: 'POST', url: '/a.B/C', body: { x: 'ü', passphrase: 'aHVudGVyMg==' } })
  t.like(seen.headers, {
    'content-type': 'application/json',
    'connect-protocol-version': '1',
    'connect-timeout-ms': '1235',
  })
})

unix('secrets of an answer come as handles, and the rest as JSON', async (t) => {
  const { ask } = await serve(t, (_request, response) => {
    response.end('{"results":[{"envelopes":[0]}],"envelopes":[{"id":"a/b","value":"aHVudGVyMg","version":"2"}]}')
  })
  const { envelopes, body } = unwrap(await ask())
  t.like(envelopes, [{ id: 'a/b', version: '2', metadata: {} }])
  t.is(envelopes[0]?.secret.text().value, 'hunter2')
  t.is(body, '{"results":[{"envelopes":[0]}]}')
})

unix('an error of the daemon is an answer with its status and whole body', async (t) => {
  const { ask } = await serve(t, (_request, response) => {
    response.statusCode = 404
    response.end('{"code":"not_found","envelopes":[]}')
  })
  const { status, body } = unwrap(await ask())
  t.is(status, 404)
  t.is(body, '{"code":"not_found","envelopes":[]}')
})

unix('an answer that is no JSON is SE_CORRUPT, and its text is in no message', async (t) => {
  const { ask } = await serve(t, (_request, response) => response.end('{"envelopes":[{"value":"hunter2!"}]}'))
  const { error } = await ask()
  t.is(error?.code, 'SE_CORRUPT')
  t.false(JSON.stringify(error).includes('hunter2'))
})

unix('an answer of many megabytes is read', async (t) => {
  const value = Buffer.alloc(12 << 20, 'x')
  const text = JSON.stringify({ envelopes: [{ id: 'a', value: value.toString('base64') }] })
  const { ask } = await serve(t, (_request, response) => response.end(text))
  const { envelopes } = unwrap(await ask())
  t.true(unwrap(envelopes[0]?.secret.equals(value) ?? { value: false }))
})

unix('calls one after the other use one connection, and those at once as many as they need', async (t) => {
  const waiting: ServerResponse[] = []
  const { ask, counted } = await serve(t, (_request, response, body) => {
    if (body === '{}') return response.end('{}')
    waiting.push(response)
    if (waiting.length === 200) for (const one of waiting) one.end('{}')
    return
  })
  for (let count = 0; count < 5; count++) t.is(unwrap(await ask()).status, 200)
  t.is(counted.connections, 1)
  const replies = await Promise.all(Array.from({ length: 200 }, () => ask('{"wait":1}')))
  t.true(replies.every((reply) => reply.value?.status === 200))
  t.is(counted.connections, 200)
})

unix('a call ends at its limit, and the daemon sees it go', async (t) => {
  const { ask, server } = await serve(t, () => {})
  const accepted = once(server, 'connection')
  const { error } = await ask('{}', 20)
  t.is(error?.code, 'SE_TIMEOUT')
  const [socket] = await accepted
  if (!socket.destroyed) await once(socket, 'close')
})

unix('a call that is cancelled answers SE_ABORTED, and the daemon sees it go', async (t) => {
  let reached = () => {}
  let left = () => {}
  const came = new Promise<void>((settle) => {
    reached = settle
  })
  const went = new Promise<void>((settle) => {
    left = settle
  })
  const { client } = await serve(t, (request) => {
    request.socket.on('close', left)
    reached()
  })
  const call = client.call('/x', '{}', [])
  const reply = call.reply()
  await came
  call.cancel()
  t.is((await reply).error?.code, 'SE_ABORTED')
  await went
  call.cancel()
})

unix('the answer may be asked for after it came, and once', async (t) => {
  const { client } = await serve(t, (_request, response) => response.end('{}'))
  const early = client.call('/x', '{}', [])
  await client.call('/x', '{}', []).reply()
  t.is(unwrap(await early.reply()).status, 200)
  t.is((await early.reply()).error?.code, 'SE_INTERNAL')
})

unix('a disposed value, and a procedure that is none, fail the call', async (t) => {
  const { client } = await serve(t, (_request, response) => response.end('{}'))
  const secret = Secret.from('a', 'b')
  secret.dispose()
  t.is((await client.call('/x', '"\0"', [handleOf(secret)]).reply()).error?.code, 'SE_DISPOSED')
  t.is((await client.call('/x\r\nEvil: 1', '{}', []).reply()).error?.code, 'SE_INVALID_OPTION')
})

unix('a kept connection keeps no process alive', async (t) => {
  const { address } = await serve(t, (_request, response) => response.end('{}'))
  const addon = new URL(`../../se-native.${platformName()}.node`, import.meta.url).pathname
  const program = `const call = require('${addon}').openDaemonClient('${address}', ${uid}).value.call('/x', '{}', [])
    call.reply().then((reply) => console.log(reply.value.status))`
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = await once(child.stdout, 'data')
  t.is(String(line), '200\n')
  t.deepEqual(await once(child, 'exit'), [0, null])
})
