import { once } from 'node:events'
import { createWriteStream, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Duplex, PassThrough, Writable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { TransformStream } from 'node:stream/web'
import { format, inspect, isDeepStrictEqual } from 'node:util'
import { MessageChannel, receiveMessageOnPort } from 'node:worker_threads'
import { createGzip, gunzipSync } from 'node:zlib'
import test from 'ava'
import fc from 'fast-check'
import { InvalidInputError, Secret, SecretsError } from '../src/index.js'
import { native } from '../src/native/load.js'
import { unwrap } from '../src/native/outcome.js'
import { handleOf } from '../src/secret.js'
import { Canary } from './helpers/canary.js'

const MAX = 16 << 20

function folder(t: { teardown(fn: () => void): void }): string {
  const path = mkdtempSync(join(tmpdir(), 'se-secret-'))
  t.teardown(() => rmSync(path, { recursive: true }))
  return path
}

test('any bytes come out as they went in', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (value) => {
      const secret = Secret.from('a', value)
      return secret.byteLength === value.length && isDeepStrictEqual(secret.bytes(), new Uint8Array(value))
    }),
  )
  t.pass()
})

test('any well-formed text comes out as it went in', (t) => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => Secret.from('a', text).text() === text))
  t.pass()
})

test('an empty value is a value', async (t) => {
  const secret = Secret.from('a', '')
  t.is(secret.byteLength, 0)
  t.is(secret.text(), '')
  t.is(secret.bytes().length, 0)
  t.is(await secret.use((bytes) => bytes.length), 0)
  t.true(secret.equals(new Uint8Array()))
})

test('a value of 16 MiB is kept, and a longer one refused with SE_VALUE_TOO_LARGE', (t) => {
  const value = Buffer.alloc(MAX, 'abcdefg')
  const secret = Secret.from('a', value)
  t.true(value.equals(secret.bytes()))
  for (const longer of [Buffer.alloc(MAX + 1), 'x'.repeat(MAX + 1)]) {
    const error = t.throws(() => Secret.from('a', longer), { code: 'SE_VALUE_TOO_LARGE' })
    t.true(error instanceof InvalidInputError)
  }
})

test('what a secret is made of must be bytes or a text', (t) => {
  for (const value of [undefined, null, 1, {}, ['a']]) {
    t.throws(() => Secret.from('a', value as never), { code: 'SE_INVALID_OPTION' })
  }
})

test('text() throws SE_NOT_TEXT when the value is not UTF-8', (t) => {
  for (const value of [[0xff], [0xc0, 0x80], [0x61, 0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80], [0xe2, 0x82]]) {
    t.throws(() => Secret.from('a', new Uint8Array(value)).text(), { code: 'SE_NOT_TEXT' })
  }
})

test('a text with a lone surrogate is refused with SE_NOT_TEXT', (t) => {
  t.throws(() => Secret.from('a', 'a\ud800b'), { code: 'SE_NOT_TEXT' })
})

test('the bytes are copied: wiping the source does not change the secret', (t) => {
  const source = Buffer.from('value')
  const secret = Secret.from('a', source)
  source.fill(0)
  t.is(secret.text(), 'value')
})

test('bytes() gives a copy each time', (t) => {
  const secret = Secret.from('a', 'value')
  secret.bytes().fill(0)
  t.is(secret.text(), 'value')
})

test('use lends the bytes until what the function returns is settled, then the view is dead', async (t) => {
  const secret = Secret.from('a', 'value')
  let kept: Uint8Array | undefined
  const length = await secret.use(async (bytes) => {
    kept = bytes
    await new Promise(setImmediate)
    t.is(Buffer.from(bytes).toString(), 'value')
    return bytes.length
  })
  t.is(length, 5)
  t.is(kept?.length, 0)
  t.is(kept?.buffer.byteLength, 0)
  t.is(secret.text(), 'value')
})

test('use passes on what the function throws, and the view is dead all the same', async (t) => {
  const secret = Secret.from('a', 'value')
  let kept: Uint8Array | undefined
  const thrown = new Error('mine')
  const error = await t.throwsAsync(
    secret.use((bytes) => {
      kept = bytes
      throw thrown
    }),
  )
  t.is(error, thrown)
  t.is(kept?.length, 0)
})

test('changing the lent bytes does not change the secret', async (t) => {
  const secret = Secret.from('a', 'value')
  await secret.use((bytes) => bytes.fill(0))
  t.is(secret.text(), 'value')
})

test('a secret that is disposed while it is used is lent to the end', async (t) => {
  const secret = Secret.from('a', 'value')
  await secret.use(async (bytes) => {
    secret.dispose()
    await new Promise(setImmediate)
    t.is(Buffer.from(bytes).toString(), 'value')
  })
  t.true(secret.disposed)
})

test('a view that was moved elsewhere while it was lent reads zeros afterwards', async (t) => {
  const secret = Secret.from('a', 'value')
  let moved: Uint8Array | undefined
  const method = 'transfer' in ArrayBuffer.prototype
  await secret.use((bytes) => {
    if (!method) return
    moved = new Uint8Array((bytes.buffer as ArrayBuffer & { transfer(): ArrayBuffer }).transfer())
    t.is(Buffer.from(moved).toString(), 'value')
  })
  t.deepEqual(moved, method ? new Uint8Array(5) : undefined)
})

test('a view cannot leave the thread by a transfer', async (t) => {
  const secret = Secret.from('a', 'value')
  const { port1, port2 } = new MessageChannel()
  await secret.use((bytes) => {
    try {
      port1.postMessage(bytes.buffer, [bytes.buffer])
    } catch {
      // Node 21 and later refuse; Node 20 sends a copy.
    }
    t.is(Buffer.from(bytes).toString(), 'value')
  })
  port1.close()
  port2.close()
})

test('where buffers outside of the engine are forbidden, the copy inside is wiped and detached as well', (t) => {
  const handle = unwrap(native().SecretHandle.fromText('value'))
  const view = unwrap(handle.view())
  const inside = view.open(true)
  t.is(Buffer.from(inside).toString(), 'value')
  view.close(inside)
  t.is(inside.byteLength, 0)
})

for (const [title, size] of [
  ['small', 10],
  ['as long as allowed', MAX],
] as const) {
  const value = Buffer.alloc(size, 'abcdefg')

  test(`writeTo writes a value that is ${title} to a file`, async (t) => {
    const path = join(folder(t), 'file')
    const stream = createWriteStream(path)
    await Secret.from('a', value).writeTo(stream)
    stream.end()
    await once(stream, 'close')
    t.true(value.equals(readFileSync(path)))
  })

  test(`writeTo writes a value that is ${title} to a socket that is read slowly`, async (t) => {
    const path = join(folder(t), 'socket')
    const server = createServer({ pauseOnConnect: true }).listen(path)
    await once(server, 'listening')
    const accepted = once(server, 'connection') as Promise<[Socket]>
    const socket = connect(path)
    const written = Secret.from('a', value).writeTo(socket)
    const [peer] = await accepted
    const received = buffer(peer)
    peer.resume()
    await written
    socket.end()
    t.true(value.equals(await received))
    server.close()
  })

  test(`writeTo writes a value that is ${title} through a transform and a pair of streams`, async (t) => {
    const secret = Secret.from('a', value)
    const through = new PassThrough()
    const passed = buffer(through)
    const zipped = createGzip()
    const packed = buffer(zipped)
    for (const stream of [through, zipped]) {
      await secret.writeTo(stream)
      stream.end()
    }
    t.true(value.equals(await passed))
    t.true(value.equals(gunzipSync(await packed)))
  })

  test(`writeTo writes a value that is ${title} to a web stream`, async (t) => {
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>()
    const received = buffer(readable)
    await Secret.from('a', value).writeTo(writable)
    await writable.close()
    t.true(value.equals(await received))
  })
}

test('writeTo waits until the stream is done with the bytes, and they are dead then', async (t) => {
  let done: (() => void) | undefined
  let seen: Uint8Array | undefined
  const slow = new Writable({
    write(chunk, _encoding, callback) {
      seen = chunk
      done = callback
    },
  })
  let finished = false
  const writing = Secret.from('a', 'value')
    .writeTo(slow)
    .then(() => {
      finished = true
    })
  await new Promise(setImmediate)
  t.false(finished)
  t.is(Buffer.from(seen as Uint8Array).toString(), 'value')
  done?.()
  await writing
  t.is(seen?.length, 0)
})

test('writeTo rejects with the error of the stream, which stays handled', async (t) => {
  const failing = new Writable({
    write(_chunk, _encoding, callback) {
      callback(new Error('disk full'))
    },
  })
  await t.throwsAsync(Secret.from('a', 'value').writeTo(failing), { message: 'disk full' })
  await t.throwsAsync(Secret.from('a', 'value').writeTo(failing), { code: 'ERR_STREAM_DESTROYED' })
})

test('writeTo rejects when the stream is closed before the bytes are written', async (t) => {
  const stuck = new Writable({ write() {} })
  const writing = Secret.from('a', 'value').writeTo(stuck)
  stuck.destroy()
  await t.throwsAsync(writing)
  const ended = new PassThrough()
  ended.end()
  await t.throwsAsync(Secret.from('a', 'value').writeTo(ended), { code: 'ERR_STREAM_WRITE_AFTER_END' })
  const socket: Duplex = connect(join(folder(t), 'nobody'))
  await t.throwsAsync(Secret.from('a', 'value').writeTo(socket))
})

test('equals compares with bytes and with secrets', (t) => {
  const secret = Secret.from('a', 'value')
  t.true(secret.equals(Buffer.from('value')))
  t.true(secret.equals(Secret.from('other', 'value')))
  t.true(secret.equals(secret))
  for (const other of ['', 'valuE', 'values', 'valu']) {
    t.false(secret.equals(Buffer.from(other)))
    t.false(secret.equals(Secret.from('a', other)))
  }
})

test('after dispose everything that reads throws SE_DISPOSED, and disposing again does nothing', async (t) => {
  const secret = Secret.from('a', 'value', { metadata: { owner: 'me' } })
  const live = Secret.from('a', 'value')
  secret.dispose()
  secret.dispose()
  t.true(secret.disposed)
  const reads = [
    () => secret.text(),
    () => secret.bytes(),
    () => secret.equals(new Uint8Array()),
    () => secret.equals(live),
    () => live.equals(secret),
  ]
  for (const read of reads) t.throws(read, { code: 'SE_DISPOSED' })
  await t.throwsAsync(
    secret.use(() => undefined),
    { code: 'SE_DISPOSED' },
  )
  await t.throwsAsync(secret.writeTo(new PassThrough()), { code: 'SE_DISPOSED' })
  t.is(secret.byteLength, 5)
  t.is(secret.id, 'a')
  t.deepEqual(secret.metadata, { owner: 'me' })
})

test('a secret that was disposed stays so when its memory is used for others', async (t) => {
  const value = Buffer.from('value')
  const old = Array.from({ length: 200 }, (_, n) => Secret.from(`old/${n}`, value))
  for (const secret of old) secret.dispose()
  const fresh = Array.from({ length: 200 }, (_, n) => Secret.from(`new/${n}`, Buffer.from(`value ${n}`)))
  for (const secret of old) {
    t.throws(() => secret.text(), { code: 'SE_DISPOSED' })
    secret.dispose()
  }
  for (const [n, secret] of fresh.entries()) {
    t.is(secret.text(), `value ${n}`)
    t.is(secret.byteLength, `value ${n}`.length)
    t.false(secret.disposed)
  }
})

test('a handle that was given out is not used for another secret', (t) => {
  const shared = Secret.from('shared', Buffer.from('value'))
  const handle = handleOf(shared)
  shared.dispose()
  const others = Array.from({ length: 200 }, (_, n) => Secret.from(`other/${n}`, Buffer.from('other')))
  t.is(handle.text().error?.code, 'SE_DISPOSED')
  for (const other of others) other.dispose()
})

test('using disposes at the end of the block', (t) => {
  let outside: Secret
  {
    using secret = Secret.from('a', 'value')
    outside = secret
    t.false(outside.disposed)
  }
  t.true(outside.disposed)
})

test('nothing that prints, serialises or clones a secret shows its value', async (t) => {
  const canary = Canary.random()
  const secret = Secret.from('a/b', canary.bytes)
  const holder = { secret, list: [secret], map: new Map([['key', secret]]), error: new Error('x', { cause: secret }) }
  const shown = [
    String(secret),
    `${secret as unknown as string}`,
    `${(secret as unknown as string) + ''}`,
    JSON.stringify(secret),
    JSON.stringify(holder),
    inspect(secret, { showHidden: true, depth: 9, getters: true, showProxy: true }),
    inspect(holder, { showHidden: true, depth: 9, getters: true }),
    format('%s %d %i %f %j %o %O %c', secret, secret, secret, secret, secret, secret, secret, secret),
    JSON.stringify(Object.entries(secret)),
    JSON.stringify({ ...secret }),
    JSON.stringify(Object.getOwnPropertyDescriptors(secret)),
    inspect(structuredClone(secret), { showHidden: true }),
    inspect(structuredClone(holder), { showHidden: true, depth: 9 }),
    String(Object.prototype.toString.call(secret)),
  ]
  const out = new PassThrough()
  new console.Console(out).log(holder, secret)
  shown.push(String(out.read()))
  const { port1, port2 } = new MessageChannel()
  port1.postMessage({ secret })
  shown.push(inspect(receiveMessageOnPort(port2)?.message, { showHidden: true }))
  port1.close()
  for (const text of shown) t.is(canary.foundIn(text), undefined)
  t.is(String(secret), '[redacted]')
  t.is(JSON.stringify({ secret }), '{"secret":"[redacted]"}')
  t.is(inspect(secret), 'Secret(a/b) [redacted]')
})

test('no error of a secret shows its value', async (t) => {
  const canary = Canary.random()
  const secret = Secret.from('a/b', Buffer.concat([canary.bytes, Buffer.from([0xff])]))
  const errors: unknown[] = [t.throws(() => secret.text())]
  errors.push(t.throws(() => Secret.from('a', `${canary.text}\ud800`)))
  errors.push(t.throws(() => Secret.from('a', [canary.text] as never)))
  secret.dispose()
  errors.push(t.throws(() => secret.bytes()))
  for (const error of errors) {
    t.true(SecretsError.is(error))
    t.is(canary.foundIn(inspect(error, { showHidden: true, depth: 9 })), undefined)
    t.is(canary.foundIn(JSON.stringify(error)), undefined)
  }
})
