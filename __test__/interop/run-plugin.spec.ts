// Our plugin with Docker's published Go code as the engine, and the Go client in front of that.
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import anyTest, { type ExecutionContext } from 'ava'
import { buildGoFirst, EventFile, type GoAnswer, goClient, goMissing, LineProgram, startGo } from '../helpers/go.js'

// One after the other: each starts processes that have seconds to answer.
const test = goMissing() === undefined ? anyTest.serial : anyTest.serial.skip
const fixture = fileURLToPath(new URL('../fixtures/run-plugin.ts', import.meta.url))
const command = [process.execPath, `--import=${import.meta.resolve('tsx')}`, fixture] as const

buildGoFirst(anyTest)

interface GoEngine {
  readonly folder: string
  readonly socket: string
  readonly engine: LineProgram
  ask(...args: string[]): Promise<GoAnswer>
}

async function startEngine(t: ExecutionContext, folder: string, ...launched: string[]): Promise<GoEngine> {
  const socket = join(folder, 'engine.sock')
  const engine = await startGo('engine', ['-socket', socket, ...launched], (fn) => t.teardown(fn))
  await engine.line(/listening/)
  return { folder, socket, engine, ask: (...args) => goClient(['-socket', socket, ...args]) }
}

function createFolder(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'se-go-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Our plugin, dialling. */
function dial(t: ExecutionContext, name: string, socket: string): LineProgram {
  const [node, ...args] = command
  const plugin = new LineProgram(node, [...args, name, socket])
  t.teardown(() => plugin.stop())
  return plugin
}

test('it registers with a Go engine that answers HTTP/0.0, and is asked by it', async (t) => {
  const { socket, engine, ask } = await startEngine(t, createFolder(t))
  const plugin = dial(t, 'ours', socket)
  t.like(JSON.parse(await engine.line(/registered/)), { name: 'ours', version: 'v2.1.0', pattern: 'ours/**' })

  const [one] = (await ask('get', 'ours/a')).envelopes ?? []
  t.deepEqual(one, {
    id: 'ours/a',
    value: Buffer.from('pässword\n').toString('base64'),
    length: 10,
    provider: 'ours',
    version: '42',
    metadata: { owner: 'Zoë' },
    createdAt: '2020-01-02T03:04:05.678Z',
    resolvedAt: one?.resolvedAt ?? '',
    expiresAt: '2999-12-31T23:59:59.999Z',
  })
  const [big] = (await ask('get', 'ours/big')).envelopes ?? []
  t.is(big?.value, Buffer.from(new Uint8Array(1 << 20).map((_, n) => n)).toString('base64'))
  const [empty] = (await ask('get', 'ours/empty')).envelopes ?? []
  t.like(empty, { length: 0, createdAt: '', expiresAt: '' })
  const many = (await ask('get', 'ours/many/*')).envelopes ?? []
  t.is(many.length, 1000)
  t.is(many.find(({ id }) => id === 'ours/many/999')?.value, Buffer.from('value 999').toString('base64'))

  t.true((await ask('get', 'ours/none')).notFound)
  const locked = await ask('get', 'ours/locked')
  t.false(locked.notFound)
  t.regex(locked.error ?? '', /failed_precondition: .*the vault is locked/)

  engine.child.stdin.write('health ours\n')
  t.like(JSON.parse(await engine.line(/"health"/)), { text: '200 ok' })
  t.like(plugin.lines, ['started', 'asked ours/a'])
})

test('it ends on Shutdown, on SIGTERM, and when the engine goes, each time in order', async (t) => {
  const { socket, engine, ask } = await startEngine(t, createFolder(t))
  const one = dial(t, 'one', socket)
  await engine.line(/"registered".*"one"/)
  engine.child.stdin.write('shutdown one\n')
  await engine.line(/"shutdown".*"ok"/)
  await one.line(/^ended$/)
  t.is(await one.ended(), 0)

  const two = dial(t, 'two', socket)
  await engine.line(/"registered".*"two"/)
  two.child.kill('SIGTERM')
  await two.line(/^ended$/)
  t.is(await two.ended(), 0)
  t.like(JSON.parse(await engine.line(/"ended".*"two"/)), { text: undefined })

  const three = dial(t, 'three', socket)
  await engine.line(/"registered".*"three"/)
  // The engine says so before the plugin has its answer: an engine that goes then has refused it.
  t.is((await ask('get', 'three/a')).envelopes?.length, 1)
  await engine.stop('SIGKILL')
  await three.line(/^ended$/)
  t.is(await three.ended(), 0)
})

test('a name that is taken is an error with the reason', async (t) => {
  const { socket, engine } = await startEngine(t, createFolder(t))
  const first = dial(t, 'ours', socket)
  await engine.line(/"registered"/)
  const second = dial(t, 'ours', socket)
  t.not(await second.ended(), 0)
  t.regex(second.stderr, /SE_PLUGIN_DUPLICATE|taken/)
  t.is(first.child.exitCode, null)
})

test('what nobody waits for any more is aborted', async (t) => {
  const { socket, engine } = await startEngine(t, createFolder(t))
  const plugin = dial(t, 'ours', socket)
  await engine.line(/"registered"/)
  const client = await startGo('client', ['-socket', socket, '-response-timeout', '0'], (fn) => t.teardown(fn))
  client.child.stdin.write('get ours/slow\n')
  await plugin.line(/^asked ours\/slow$/)
  await client.stop('SIGKILL')
  await plugin.line(/^cancelled ours\/slow$/)
  t.pass()
})

test('it is launched by Go code with a descriptor and the one variable', async (t) => {
  const folder = createFolder(t)
  const events = new EventFile(folder, 'ours')
  const script = join(folder, 'ours')
  writeFileSync(
    script,
    `#!/bin/sh\nEVENTS='${events.path}' exec ${command.map((word) => `'${word}'`).join(' ')} ours\n`,
  )
  chmodSync(script, 0o700)
  const { engine, ask } = await startEngine(t, folder, script)
  t.like(JSON.parse(await engine.line(/"registered"/)), { name: 'ours', pattern: 'ours/**' })
  t.is((await ask('get', 'ours/a')).envelopes?.length, 1)
  engine.child.stdin.write('shutdown ours\n')
  t.like(JSON.parse(await engine.line(/"exited"/)), { name: 'ours', text: 'exit status 0' })
  t.is(events.lines.at(-1), 'ended')
})
