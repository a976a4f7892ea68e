// Another user of the machine, at either end of the socket.
import { chmodSync, cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import anyTest, { type ExecutionContext } from 'ava'
import { startDaemon } from '../helpers/daemon.js'
import { asForeigner, FOREIGN_UID } from '../helpers/foreign.js'
import { buildGo, buildGoFirst, type GoAnswer, goClient, goMissing, LineProgram } from '../helpers/go.js'
import { createFileHome } from '../helpers/se.js'

const foreigner = goMissing() === undefined ? asForeigner() : undefined
// One after the other: each starts processes that have seconds to answer.
const test = foreigner === undefined ? anyTest.serial.skip : anyTest.serial

buildGoFirst(anyTest)

/** A folder that everybody may use, with the Go programs, and how a foreigner runs one of them. */
async function createForeignFolder(t: ExecutionContext): Promise<{
  folder: string
  run(program: string, ...args: string[]): LineProgram
}> {
  const folder = mkdtempSync(join(tmpdir(), 'se-foreign-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  cpSync(await buildGo(), folder, { recursive: true })
  chmodSync(folder, 0o1777)
  const [file = '', ...words] = foreigner ?? []
  return {
    folder,
    run(program, ...args) {
      const started = new LineProgram(file, [...words, join(folder, program), ...args])
      t.teardown(() => started.stop())
      return started
    },
  }
}

/** How Go's HTTP client tells that its connection was closed: which of these is a matter of time. */
const CUT_OFF = /EOF|reset|broken pipe|server closed idle connection/

const uniqueName = (): string => `@se-native-test/${process.pid}/${Math.random().toString(36).slice(2)}`

test('a daemon cuts off another user before it reads anything, for requests and for plugins', async (t) => {
  const name = uniqueName()
  const daemon = await startDaemon(t, { addresses: [name] })
  await daemon.home.ok(['set', 'mine'], { stdin: 'mine' })
  const { run } = await createForeignFolder(t)

  const answer = JSON.parse(await run('client', '-socket', name, 'get', 'mine').line(/./)) as GoAnswer
  t.is(answer.envelopes, undefined)
  t.false(answer.notFound)
  t.regex(answer.error ?? '', CUT_OFF)
  t.regex(await run('register', '-socket', name, '-name', 'theirs').line(/./), CUT_OFF)

  t.is((await goClient(['-socket', name, 'get', 'mine'])).envelopes?.length, 1)
  const { plugins = [] } = await goClient(['-socket', name, 'list'])
  t.deepEqual(
    plugins.map(({ name }) => name),
    ['docker-pass'],
  )
})

test('a user whom the configuration names is let in', async (t) => {
  const name = uniqueName()
  const config = `[daemon]\naddresses = ["${name}"]\nallowed_uids = [${FOREIGN_UID}]\n`
  const daemon = await startDaemon(t, { config })
  await daemon.home.ok(['set', 'mine'], { stdin: 'mine' })
  const { run } = await createForeignFolder(t)
  const answer = JSON.parse(await run('client', '-socket', name, 'get', 'mine').line(/./)) as GoAnswer
  t.is(answer.envelopes?.length, 1)
})

test('a client asks nothing of a socket that another user has put there', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  await home.ok(['set', 'mine'], { stdin: 'mine' })
  const { folder, run } = await createForeignFolder(t)
  for (const address of [join(folder, 'squat.sock'), uniqueName()]) {
    const squatter = run('engine', '-deaf', '-socket', address)
    await squatter.line(/listening/)
    for (const args of [
      ['get', 'mine'],
      ['explain', 'se://mine'],
      ['daemon', 'status'],
    ]) {
      const { status, stdout, stderr } = await home.se(args, { env: { SE_SOCKET: address } })
      t.not(status, 0, args.join(' '))
      t.is(stdout.length, 0)
      t.regex(stderr, /another user|SE_SOCKET_UNSAFE/, args.join(' '))
    }
    t.true(squatter.lines.length >= 3)
    for (const line of squatter.lines) t.like(JSON.parse(line), { event: 'read', text: undefined })
  }
})

test('a plugin of ours sends nothing to a socket that another user has put there', async (t) => {
  const { run } = await createForeignFolder(t)
  const name = uniqueName()
  const squatter = run('engine', '-deaf', '-socket', name)
  await squatter.line(/listening/)
  const fixture = fileURLToPath(new URL('../fixtures/run-plugin.ts', import.meta.url))
  const plugin = new LineProgram(process.execPath, [`--import=${import.meta.resolve('tsx')}`, fixture, 'ours', name])
  t.teardown(() => plugin.stop())
  t.not(await plugin.ended(), 0)
  t.regex(plugin.stderr, /SE_SOCKET_UNSAFE/)
  t.like(JSON.parse(await squatter.line(/./)), { event: 'read', text: undefined })
})

test('a daemon leaves a socket of another user where it is, and says so', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  const { run } = await createForeignFolder(t)
  const name = uniqueName()
  const squatter = run('engine', '-socket', name)
  await squatter.line(/listening/)
  const { status, stderr } = await home.se(['daemon', 'run'], { env: { SE_SOCKET: name } })
  t.not(status, 0)
  t.regex(stderr, /another/)
})
