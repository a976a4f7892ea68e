import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import anyTest, { type ExecutionContext, type TestFn } from 'ava'
import { ownReads } from '../../src/session/own-reads.js'

const test = (process.platform === 'win32' ? anyTest.skip : anyTest) as TestFn

/** Two sockets that are connected. */
async function pair(t: ExecutionContext): Promise<[Socket, Socket]> {
  const folder = mkdtempSync(join(tmpdir(), 'se-reads-'))
  const server = createServer().listen(join(folder, 's'))
  await once(server, 'listening')
  const one = connect(join(folder, 's'))
  const [other] = (await once(server, 'connection')) as [Socket]
  t.teardown(() => {
    one.destroy()
    other.destroy()
    server.close()
    rmSync(folder, { recursive: true })
  })
  return [one, other]
}

test('this Node lets sockets be read into memory of our own', async (t) => {
  const [one] = await pair(t)
  t.true(ownReads(one))
  t.false(ownReads(new PassThrough()))
})

test('everything comes, in order, in pieces that stay as they are, however slowly it is taken', async (t) => {
  const [one, other] = await pair(t)
  const sent = Buffer.alloc(3 << 20, 0).map((_, n) => (n * 31) ^ (n >> 8))
  const ended = new Promise<Buffer>((resolve) => {
    const pieces: Buffer[] = []
    other.on('data', (piece) => {
      pieces.push(piece)
      other.pause()
      setImmediate(() => other.resume())
    })
    other.on('end', () => resolve(Buffer.concat(pieces)))
  })
  ownReads(other)
  one.end(sent)
  t.true((await ended).equals(sent))
})
