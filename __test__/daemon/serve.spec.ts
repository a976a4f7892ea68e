// The library's own daemon: an engine of a program, served.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import anyTest, { type ExecutionContext, type TestFn } from 'ava'
import { connect, createEngine, definePlugin, type SecretsError, serve } from '../../src/index.js'
import { getSecrets } from '../helpers/ask.js'

const test = (process.platform === 'win32' ? anyTest.skip : anyTest) as TestFn

function folderFor(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'se-serve-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

const plugin = definePlugin({
  name: 'fixed',
  version: 'v1.0.0',
  pattern: 'fixed/**',
  getSecrets: () => [{ id: 'fixed/a', value: 'value' }],
})

test('an engine that is served answers clients of ours and any program, until it is closed', async (t) => {
  const engine = await createEngine({ plugins: [plugin] })
  const socket = join(folderFor(t), 'own', 'engine.sock')
  const daemon = await serve(engine, { socket })
  t.deepEqual(daemon.addresses, [socket])
  const client = await connect({ socket })
  const [secret] = await client.getSecrets('fixed/a')
  t.is(secret?.text(), 'value')
  secret?.dispose()
  await client.close()
  t.regex((await getSecrets(socket, '**')).body.toString(), /"id":"fixed\/a"/)
  await daemon.close()
  await daemon.close()
  t.false(existsSync(socket))
  // The engine stays its program's.
  const [own] = await engine.getSecrets('fixed/a')
  t.is(own?.text(), 'value')
  own?.dispose()
  await engine.close()
})

test('two engines are not served on one socket', async (t) => {
  const engine = await createEngine({ plugins: [plugin] })
  const socket = join(folderFor(t), 'engine.sock')
  await using _first = await serve(engine, { socket })
  const error = (await t.throwsAsync(serve(engine, { socket }))) as SecretsError
  t.is(error.code, 'SE_DAEMON_RUNNING')
})

test('what cannot be served is refused', async (t) => {
  const engine = await createEngine({ plugins: [] })
  await t.throwsAsync(serve(engine, { port: 80 } as never), { code: 'SE_INVALID_OPTION' })
  await t.throwsAsync(serve(engine, { socket: 7 } as never), { code: 'SE_INVALID_OPTION' })
  await t.throwsAsync(serve({} as never), { code: 'SE_INVALID_OPTION' })
})
