// The Go programs among themselves: what the other tests take for Docker's behaviour, shown without any code of ours.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import anyTest, { type ExecutionContext } from 'ava'
import { buildGoFirst, goClient, goMissing, type LineProgram, startGo, writeSecrets } from '../helpers/go.js'

// One after the other: each starts processes that have seconds to answer.
const test = goMissing() === undefined ? anyTest.serial : anyTest.serial.skip

buildGoFirst(anyTest)

async function startEngine(t: ExecutionContext): Promise<{ folder: string; socket: string; engine: LineProgram }> {
  const folder = mkdtempSync(join(tmpdir(), 'se-go-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const socket = join(folder, 'engine.sock')
  const engine = await startGo('engine', ['-socket', socket], (fn) => t.teardown(fn))
  await engine.line(/listening/)
  return { folder, socket, engine }
}

test('the sources are formatted as gofmt does', (t) => {
  t.is(execFileSync('gofmt', ['-l', fileURLToPath(new URL('../go/', import.meta.url))], { encoding: 'utf8' }), '')
})

test('a plugin registers with an engine, is asked by a client, and tells of its health', async (t) => {
  const { folder, socket, engine } = await startEngine(t)
  const secrets = writeSecrets(folder, [
    {
      id: 'x/a',
      value: Buffer.from([0, 255, 10]),
      version: '7',
      metadata: { owner: 'Zoë' },
      createdAt: '2020-01-02T03:04:05.678Z',
    },
    { id: 'x/big', size: 1 << 20 },
    { id: 'x/empty' },
  ])
  const args = ['-socket', socket, '-name', 'good', '-pattern', 'x/**', '-secrets', secrets]
  const plugin = await startGo('plugin', args, (fn) => t.teardown(fn))
  await plugin.line(/^registered$/)

  const one = await goClient(['-socket', socket, 'get', 'x/a'])
  t.deepEqual(one.envelopes, [
    {
      id: 'x/a',
      value: 'AP8K',
      length: 3,
      provider: 'good',
      version: '7',
      metadata: { owner: 'Zoë' },
      createdAt: '2020-01-02T03:04:05.678Z',
      resolvedAt: '',
      expiresAt: '',
    },
  ])
  const all = await goClient(['-socket', socket, 'get', '**'])
  t.deepEqual(
    all.envelopes?.map(({ id, length }) => [id, length]),
    [
      ['x/a', 3],
      ['x/big', 1 << 20],
      ['x/empty', 0],
    ],
  )
  t.true((await goClient(['-socket', socket, 'get', 'x/none'])).notFound)

  await engine.line(/"registered"/)
  t.like(await engine.ask('health good'), { event: 'health', text: '200 ok' })
})

test('Shutdown ends a plugin', async (t) => {
  const { socket, engine } = await startEngine(t)
  const plugin = await startGo('plugin', ['-socket', socket, '-name', 'good'], (fn) => t.teardown(fn))
  await plugin.line(/^registered$/)
  engine.child.stdin.write('shutdown good\n')
  await engine.line(/"ended"/)
  t.is(await plugin.ended(), 0)
})

test('a second plugin of the same name is refused, and a bad pattern too', async (t) => {
  const { socket } = await startEngine(t)
  const plugin = await startGo('plugin', ['-socket', socket, '-name', 'good'], (fn) => t.teardown(fn))
  await plugin.line(/^registered$/)
  const taken = await startGo('register', ['-socket', socket, '-name', 'good'], (fn) => t.teardown(fn))
  t.regex(await taken.line(/./), /already_exists/)
  const bad = await startGo('register', ['-socket', socket, '-name', 'bad', '-pattern', 'x*'], (fn) => t.teardown(fn))
  t.regex(await bad.line(/./), /invalid_argument/)
})
