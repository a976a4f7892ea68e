// What resolve() asks in one process, as daemons come and go. The process's environment is the test's own.
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { createEngine, definePlugin, openStore, resolve, SecretsError, serve } from '../../src/index.js'
import { createFolder } from '../helpers/daemon-server.js'

const onUnix = process.platform === 'win32' ? test.serial.skip : test.serial

onUnix('resolve keeps to the daemon until it ends, then asks in process, with no request lost', async (t) => {
  const folder = createFolder((fn) => t.teardown(fn))
  for (const name of ['run/se-native', 'config/se-native', 'data/se-native']) {
    mkdirSync(join(folder, name), { recursive: true, mode: 0o700 })
  }
  const path = join(folder, 'data/se-native/store.age')
  writeFileSync(join(folder, 'config/se-native/config.toml'), 'store = "file"\n')
  const store = await openStore({ kind: 'file', path, create: true })
  await store.set('a/b', 'in the store')
  store.close()
  for (const name of Object.keys(process.env)) if (name.startsWith('SE_')) delete process.env[name]
  Object.assign(process.env, {
    HOME: folder,
    XDG_RUNTIME_DIR: join(folder, 'run'),
    XDG_CONFIG_HOME: join(folder, 'config'),
    XDG_DATA_HOME: join(folder, 'data'),
  })
  const plugin = definePlugin({
    name: 'only-there',
    version: 'v1.0.0',
    pattern: '**',
    getSecrets: (pattern) => (pattern.matches('a/b') ? [{ id: 'a/b', value: 'in the daemon' }] : []),
  })
  const engine = await createEngine({ plugins: [plugin] })
  t.teardown(() => engine.close())

  process.env['SE_SOCKET'] = join(folder, 'none.sock')
  const error = await resolve('se://a/b').then(
    () => undefined,
    (error: unknown) => error,
  )
  t.is((error as SecretsError).code, 'SE_DAEMON_UNREACHABLE')
  delete process.env['SE_SOCKET']

  const daemon = await serve(engine)
  t.is(await resolve('se://a/b').text(), 'in the daemon', 'a failure is not remembered')
  t.is(await resolve('se://a/b').text(), 'in the daemon')
  await daemon.close()
  t.is(await resolve('se://a/b').text(), 'in the store')
  const later = await serve(engine)
  t.is(await resolve('se://a/b').text(), 'in the store', 'a daemon that starts later is not looked for')
  await later.close()
})
