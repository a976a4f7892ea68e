import test from 'ava'
import fc from 'fast-check'
import { Budget, ResponseReader } from '../../src/session/response-reader.js'

const limits = { maxHeadBytes: 1000, maxBodyBytes: 10_000 }

/** Reads a response that comes in pieces of this length; `end`: the connection ends after it. */
function read(text: string, piece = text.length, end = false) {
  const reader = new ResponseReader(limits)
  const bytes = Buffer.from(text, 'latin1')
  let whole = false
  for (let at = 0; at < bytes.length; at += piece) whole = reader.read(Buffer.from(bytes.subarray(at, at + piece)))
  if (end && !whole) reader.end()
  else if (!whole) return undefined
  return { status: reader.status, type: reader.contentType, body: reader.body.toString('latin1') }
}

const GOOD: Record<string, readonly [text: string, body: string, end?: true]> = {
  'a length': ['HTTP/1.1 200 OK\r\nContent-Type: application/proto\r\nContent-Length: 5\r\n\r\nhello', 'hello'],
  'no body': ['HTTP/1.1 200 OK\r\nContent-Type: Application/Proto; x=y\r\ncontent-length:0\r\n\r\n', ''],
  chunks: [
    'HTTP/1.1 200 OK\r\nContent-Type: application/proto\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n00a;x=y\r\n, wonderful\r\n1\r\n!\r\n0\r\n\r\n'.replace(
      '00a',
      '00b',
    ),
    'hello, wonderful!',
  ],
  trailers: [
    `HTTP/1.1 200 OK\r\nContent-Type: application/proto\r\nTransfer-Encoding: Chunked\r\n\r\n1\r\n\r\r\n0\r\nX: ${'y'.repeat(300)}\r\nZ: z\r\n\r\n`,
    '\r',
  ],
  'the end of the connection': [
    'HTTP/1.0 200\r\nContent-Type: application/proto\r\n\r\nhel\r\n\r\nlo',
    'hel\r\n\r\nlo',
    true,
  ],
  'an interim response before it': [
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Type: application/proto\r\nContent-Length: 2\r\n\r\nhi',
    'hi',
  ],
}

for (const [what, [text, body, end]] of Object.entries(GOOD))
  test(`a response with ${what} is read, in whatever pieces it comes`, (t) => {
    for (let piece = 1; piece <= text.length; piece++)
      t.deepEqual(read(text, piece, end), { status: 200, type: 'application/proto', body })
  })

test('a response without a body ends with its head', (t) => {
  t.like(read('HTTP/1.1 204 No Content\r\n\r\n'), { status: 204, body: '' })
})

test('a response that is not whole is waited for, and its early end is a failure', (t) => {
  for (const text of Object.values(GOOD).flatMap(([text, , end]) => (end ? [] : [text]))) {
    t.is(read(text.slice(0, -1)), undefined)
    t.throws(() => read(text.slice(0, -1), 7, true), { code: 'SE_PLUGIN_FAILURE', message: /ends too early/ })
  }
})

const BAD: Record<string, string> = {
  'another protocol': 'SSH-2.0-OpenSSH_9.2p1\r\n\r\n',
  'an upgrade': 'HTTP/1.1 101 Switching Protocols\r\n\r\n',
  'a header without a name': 'HTTP/1.1 200 OK\r\n: x\r\n\r\n',
  'two lengths': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n',
  'a length and chunks': 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
  'a length that is no number': 'HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n',
  'a coding that was not asked for': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n',
  'a compressed body': 'HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\n',
  'a chunk without a length': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nhello\r\n',
  'a chunk with an endless length': `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${'0'.repeat(100)}`,
  'a chunk that is longer than it says': 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n',
}

for (const [what, text] of Object.entries(BAD))
  test(`a response is refused: ${what}`, (t) => {
    for (const piece of [1, 3, text.length])
      t.throws(() => read(text, piece, true), { code: 'SE_PLUGIN_FAILURE', message: /not a valid HTTP response/ })
  })

const LARGE: Record<string, string> = {
  'a head': `HTTP/1.1 200 OK\r\nX: ${'y'.repeat(1000)}\r\n\r\n`,
  'a head without an end': `HTTP/1.1 200 OK\r\nX: ${'y'.repeat(2000)}`,
  trailers: `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n${'X: y\r\n'.repeat(500)}`,
  'a length': 'HTTP/1.1 200 OK\r\nContent-Length: 10001\r\n\r\n',
  'a body in chunks': `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${`3e8\r\n${'x'.repeat(1000)}\r\n`.repeat(11)}`,
  'a body without a length': `HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(10_001)}`,
}

for (const [what, text] of Object.entries(LARGE))
  test(`a response is refused as too large: ${what}`, (t) => {
    for (const piece of [1, 1000, text.length])
      t.throws(() => read(text, piece), { code: 'SE_LIMIT_EXCEEDED', message: /larger than 10{3,4} bytes/ })
  })

test('responses that come in together share what they may hold, until they are handed over', (t) => {
  const budget = new Budget(10)
  const begin = () => {
    const reader = new ResponseReader({ ...limits, budget })
    reader.read(Buffer.from('HTTP/1.1 200 OK\r\n\r\n'))
    return reader
  }
  const [one, two, three] = [begin(), begin(), begin()]
  one.read(Buffer.from('12345'))
  two.read(Buffer.from('12345'))
  t.throws(() => three.read(Buffer.from('1')), { code: 'SE_LIMIT_EXCEEDED', message: /come in at the same time/ })
  one.settle()
  two.wipe()
  three.read(Buffer.from('1234567890'))
  t.is(budget.left, 0)
  three.settle()
  three.wipe()
  t.is(budget.left, 10)
})

test('all that is read is wiped, but the body', (t) => {
  for (const [text, body] of Object.values(GOOD)) {
    const reader = new ResponseReader(limits)
    const middle = text.length >> 1
    const pieces = [
      Buffer.from(text.slice(0, middle)),
      Buffer.from(text.slice(middle, -1)),
      Buffer.from(text.slice(-1)),
    ]
    for (const piece of pieces) reader.read(piece)
    t.is(reader.body.toString(), body)
    reader.wipe()
    const left = Buffer.concat(pieces).toString()
    for (const word of ['hello', 'wonderful', 'lo']) if (body.includes(word)) t.false(left.includes(word), text)
  }
})

test('whatever a response holds, it is read, refused or waited for', (t) => {
  const part = fc.oneof(
    fc.constantFrom(
      'HTTP/1.1 200 OK\r\n',
      'Transfer-Encoding: chunked\r\n',
      'Content-Length: 7\r\n',
      '\r\n',
      '5\r\n',
      '0\r\n',
      'x',
      '\n',
    ),
    fc.string({ maxLength: 20 }),
  )
  t.notThrows(() =>
    fc.assert(
      fc.property(fc.array(part, { maxLength: 20 }), fc.nat(30), (parts, piece) => {
        try {
          read(parts.join(''), piece + 1)
        } catch (error) {
          if (!['SE_PLUGIN_FAILURE', 'SE_LIMIT_EXCEEDED'].includes((error as { code?: string }).code ?? '')) throw error
        }
      }),
      { seed: 4, numRuns: 2000 },
    ),
  )
})
