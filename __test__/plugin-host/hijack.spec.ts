import { rmSync, writeFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { createEngine } from '../../src/engine/create-engine.js'
import type { LocalEngine } from '../../src/engine/engine.js'
import { definePlugin } from '../../src/engine/plugin.js'
import { hijackHandler } from '../../src/plugin-host/hijack.js'
import { context, createTestHost, type TestHost } from '../helpers/plugin-host.js'
import { answer, socketPair, TestPlugin } from '../helpers/plugin-session.js'

const { requester } = context()

/** An engine that plugins can connect to. */
async function host(
  t: ExecutionContext,
): Promise<{ engine: LocalEngine; host: TestHost; dial(): Promise<TestPlugin> }> {
  const host = createTestHost((fn) => t.teardown(fn))
  const none = definePlugin({ name: 'taken', version: 'v1.0.0', pattern: 'b/**', getSecrets: () => [] })
  const engine = await createEngine({
    plugins: [none],
    disabled: host.states.disabled(),
    authorize: host.gate.authorize,
    log: host.log,
  })
  t.teardown(() => engine.close())
  const take = hijackHandler(engine, host.log, { gate: host.gate, states: host.states })
  const dial = async (): Promise<TestPlugin> => {
    const [here, there] = await socketPair(t)
    const plugin = new TestPlugin(there, (_request, response: ServerResponse) =>
      answer(response, [
        { id: 'a/b', value: Buffer.from('v') },
        { id: 'z/b', value: Buffer.from('v') },
      ]),
    )
    take(here, Buffer.alloc(0), requester)
    return plugin
  }
  return { engine, host, dial }
}

const names = async (engine: LocalEngine): Promise<string[]> => (await engine.listPlugins()).map(({ name }) => name)

const registration = (name: string) =>
  ({ name, version: 'v1.2.3', metadata: { case: 'secretsProvider', value: { pattern: 'a/**' } } }) as const

test('a plugin that connects is asked until it leaves', async (t) => {
  const { engine, host: own, dial } = await host(t)
  const plugin = await dial()
  t.is((await plugin.register()).status, 200)
  t.deepEqual(await names(engine), ['taken', 'test'])
  const [secret] = await engine.getSecrets('a/b')
  t.like(secret, { id: 'a/b', plugin: 'test' })
  t.is(secret?.text(), 'v')
  plugin.socket.destroy()
  await own.log.until((lines) => lines.some(({ message }) => message === 'a plugin left'))
  while ((await names(engine)).includes('test')) await new Promise(setImmediate)
  t.deepEqual(await engine.getSecrets('a/b'), [])
})

test('a name that is taken is refused, and the plugin told why', async (t) => {
  const { engine, dial } = await host(t)
  for (const name of ['taken', 'taken']) {
    const refused = await (await dial()).register(registration(name))
    t.is(refused.status, 409)
    t.regex(refused.body.toString(), /already_exists.*taken/)
  }
  const [first, second] = await Promise.all([dial(), dial()])
  const statuses = await Promise.all([first, second].map(async (plugin) => (await plugin.register()).status))
  t.deepEqual(statuses.sort(), [200, 409])
  t.deepEqual(await names(engine), ['taken', 'test'])
})

test('a plugin that was disabled is so when it comes back', async (t) => {
  const { engine, host: own, dial } = await host(t)
  const plugin = await dial()
  await plugin.register()
  await engine.disablePlugin('test')
  t.deepEqual(own.states.disabled(), ['test'])
  plugin.socket.destroy()
  while ((await names(engine)).includes('test')) await new Promise(setImmediate)
  await (await dial()).register()
  t.is((await engine.listPlugins()).find(({ name }) => name === 'test')?.enabled, false)
  await engine.enablePlugin('test')
  t.deepEqual(own.states.disabled(), [])
  t.is((await engine.getSecrets('a/b')).length, 1)
})

test('a plugin that is refused since the states of plugins cannot be read is not kept', async (t) => {
  const { engine, host: own, dial } = await host(t)
  const file = join(own.folder, 'plugins.json')
  writeFileSync(file, 'broken')
  const refused = await (await dial()).register()
  t.regex(refused.body.toString(), /plugins\.json cannot be understood/)
  t.deepEqual(await names(engine), ['taken'])
  rmSync(file)
  t.is((await (await dial()).register()).status, 200)
})

test('a module that decides about access is asked by everybody, and gone with its session', async (t) => {
  const { engine, host: own, dial } = await host(t)
  const plugin = await dial()
  const module = { name: 'gate', version: 'v1.0.0', metadata: { case: 'accessControlModule', value: {} } } as const
  t.is((await plugin.register(module)).status, 200)
  const twice = await (await dial()).register(module)
  t.is(twice.status, 409)
  plugin.handler = (_request, response) => response.writeHead(500).end()
  await own.log.until((lines) => lines.some(({ message }) => message === 'a plugin connected'))
  await t.throwsAsync(engine.getSecrets('a/b'), { code: 'SE_ACCESS_DENIED', message: /gate could not be asked$/ })
  plugin.handler = (_request, response) => {
    response.setHeader('Content-Type', 'application/proto')
    response.end(Buffer.from([0x08, 0x01])) // allow
  }
  t.deepEqual(await engine.getSecrets('a/b'), [])
  plugin.socket.destroy()
  await own.log.until((lines) => lines.some(({ message }) => message === 'a plugin left'))
  t.deepEqual(await engine.getSecrets('a/b'), [])
})

test('a plugin that leaves before it has registered is logged, and forgotten', async (t) => {
  const { engine, host: own, dial } = await host(t)
  const plugin = await dial()
  plugin.socket.destroy()
  await own.log.until((lines) => lines.some(({ message }) => message === 'a plugin was refused'))
  t.deepEqual(await names(engine), ['taken'])
})

test('closing the engine asks a connected plugin to end, and cuts it off', async (t) => {
  const { engine, dial } = await host(t)
  const plugin = await dial()
  await plugin.register()
  const asked: string[] = []
  plugin.handler = (request, response) => {
    asked.push(request.url ?? '')
    response.setHeader('Content-Type', 'application/proto')
    response.end()
    setImmediate(() => plugin.session.close())
  }
  await engine.close()
  t.deepEqual(asked, ['/plugins.v1.PluginService/Shutdown'])
})
