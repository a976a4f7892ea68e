// HashiCorp's own yamux at the other end of a Unix socket, as client and as server.
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { WINDOW_BYTES } from '../../src/yamux/frame.js'
import { YamuxSession } from '../../src/yamux/session.js'
import type { YamuxStream } from '../../src/yamux/stream.js'
import { buildGo, buildGoFirst, goMissing, LineProgram } from '../helpers/go.js'
import { readAll, turn } from '../helpers/yamux.js'

const missing = goMissing()
const real = missing === undefined ? test : test.skip

buildGoFirst(test)

/** Starts HashiCorp's side, connected with a session of ours. */
async function connect(t: ExecutionContext, theirs: 'client' | 'server', flags: readonly string[] = []) {
  const folder = mkdtempSync(join(tmpdir(), 'se-yamux-'))
  const path = join(folder, 's')
  const server = createServer().listen(path)
  const peer = new LineProgram(join(await buildGo(), 'yamux-peer'), [...flags, theirs, path])
  t.teardown(async () => {
    await peer.stop()
    server.close()
    rmSync(folder, { recursive: true })
  })
  const [socket] = (await once(server, 'connection')) as [Socket]
  const session = new YamuxSession(socket, theirs === 'client' ? 'server' : 'client', {
    onStream: (stream) => stream.pipe(stream),
  })
  await peer.line(/^ready$/)
  const command = async (line: string): Promise<string> => {
    peer.child.stdin.write(`${line}\n`)
    return peer.line(/./)
  }
  const open = (line: string): YamuxStream => {
    const stream = session.open()
    stream.write(`${line}\n`)
    return stream
  }
  return { session, socket, peer, command, open }
}

/** Waits until HashiCorp's side, too, has no stream left: it hears of the last end a little later. */
async function noStreams(session: YamuxSession, command: (line: string) => Promise<string>): Promise<void> {
  while (session.streams > 0 || (await command('streams')) !== 'streams 0') await turn()
}

for (const theirs of ['client', 'server'] as const) {
  real(`HashiCorp's ${theirs} opens 200 streams at once, and each gets its bytes back`, async (t) => {
    const { session, command } = await connect(t, theirs)
    t.is(await command('open 200 100000'), 'ok 200')
    await noStreams(session, command)
    t.is(await command('open 3 3000000'), 'ok 3')
    t.is(await command('open 10 0'), 'ok 10')
    await noStreams(session, command)
  })

  real(`HashiCorp's ${theirs} echoes 200 streams of ours, each side ending by itself`, async (t) => {
    const { session, command, open } = await connect(t, theirs)
    const sent = Array.from({ length: 200 }, (_, index) => randomBytes(index * 1000))
    const back = await Promise.all(
      sent.map((bytes) => {
        const stream = open('echo')
        stream.end(bytes)
        return readAll(stream)
      }),
    )
    t.true(back.every((bytes, index) => bytes.equals(sent[index] as Buffer)))
    await noStreams(session, command)
  })

  real(`64 MiB to HashiCorp's ${theirs} arrive whole`, async (t) => {
    const { open } = await connect(t, theirs)
    const block = randomBytes(1024 * 1024)
    const hash = createHash('sha256')
    const stream = open('count')
    for (let count = 0; count < 64; count++) {
      hash.update(block)
      if (!stream.write(block)) await once(stream, 'drain')
    }
    stream.end()
    t.is((await readAll(stream)).toString(), `${64 * 1024 * 1024} ${hash.digest('hex')}`)
  })

  real(
    `64 MiB from HashiCorp's ${theirs} wait for a slow reader: no more than the window is ahead of it`,
    async (t) => {
      const { open, socket } = await connect(t, theirs)
      const stream = open(`give ${64 * 1024 * 1024}`)
      let length = 0
      let most = 0
      stream.on('readable', async () => {
        await turn()
        for (let chunk = stream.read(1000); chunk !== null; chunk = stream.read(50_000)) length += chunk.length
        most = Math.max(most, socket.bytesRead - length)
      })
      stream.end()
      await once(stream, 'end')
      t.is(length, 64 * 1024 * 1024)
      // Headers of frames were read, too.
      t.true(most < WINDOW_BYTES + 64 * 1024, `${most} bytes`)
    },
  )

  real(`pings go both ways with HashiCorp's ${theirs}, and its keep-alive is answered`, async (t) => {
    const { session, command } = await connect(t, theirs, ['-keepalive', '1'])
    await session.ping()
    t.is(await command('ping'), 'ping <nil>')
    for (let count = 0; count < 20; count++) await session.ping()
    t.is(await command('open 1 10'), 'ok 1')
  })

  real(`a stream that is reset here is forgotten by HashiCorp's ${theirs}, and the others go on`, async (t) => {
    const { session, command, open } = await connect(t, theirs)
    const hanging = open('hang')
    const other = open('echo')
    other.write('a')
    await once(other, 'readable')
    t.is(await command('streams'), 'streams 2')
    hanging.destroy()
    other.end('b')
    t.is((await readAll(other)).toString(), 'ab')
    await noStreams(session, command)
  })

  real(`a go-away of HashiCorp's ${theirs} is heard: open streams go on, new ones are refused`, async (t) => {
    const { session, command, open } = await connect(t, theirs)
    const stream = open('echo')
    stream.write('and ')
    await once(stream, 'readable')
    t.is(await command('goaway'), 'goaway <nil>')
    await session.ping()
    t.throws(() => session.open(), { code: 'SE_PLUGIN_UNAVAILABLE', message: /is leaving/ })
    stream.end('still')
    t.is((await readAll(stream)).toString(), 'and still')
  })

  real(`HashiCorp's ${theirs} hears our go-away, and its new streams fail`, async (t) => {
    const { session, command } = await connect(t, theirs)
    session.goAway()
    await session.ping()
    t.is(await command('open 1 10'), 'remote end is not accepting connections')
  })

  real(`the end of HashiCorp's ${theirs} fails what is under way at once`, async (t) => {
    const { session, peer, open } = await connect(t, theirs)
    const stream = open('hang')
    const failed = once(stream, 'error')
    await session.ping()
    await peer.stop('SIGKILL')
    t.is((await failed)[0].code, 'SE_PLUGIN_UNAVAILABLE')
    t.is((await session.closed)?.code, 'SE_PLUGIN_UNAVAILABLE')
  })

  real(`HashiCorp's ${theirs} sees our close`, async (t) => {
    const { session, peer } = await connect(t, theirs)
    session.close()
    await peer.line(/^closed$/)
    t.is(await peer.ended(), 0)
    t.is(await session.closed, undefined)
  })
}
