// An engine that is brought from one configuration to another while its plugins are asked.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { type Config, readConfig } from '../../src/config/config.js'
import type { PluginConfig } from '../../src/config/tables.js'
import { createEngine } from '../../src/engine/create-engine.js'
import { definePlugin } from '../../src/engine/plugin.js'
import { updatePlugins } from '../../src/plugin-host/configured-plugins.js'
import type { HostedPlugin } from '../../src/plugin-host/launched-plugin.js'
import { pluginConfig, TestLog } from '../helpers/plugin-host.js'

const lines = (name: string): PluginConfig =>
  pluginConfig(['true'], { name, protocol: 'lines', pattern: `${name}/**`, timeoutMs: 1000 })

/** A configuration of a home of its own, with these plugins. */
async function configOf(t: ExecutionContext, plugins: readonly PluginConfig[]): Promise<Config> {
  const home = mkdtempSync(join(tmpdir(), 'se-configured-'))
  t.teardown(() => rmSync(home, { recursive: true, force: true }))
  const folders = { XDG_CONFIG_HOME: home, XDG_DATA_HOME: home, XDG_STATE_HOME: home }
  return { ...(await readConfig({ HOME: home, ...folders })), plugins: [...plugins] }
}

/** A plugin that holds what it is asked. */
function held(name: string, close: () => Promise<void> = async () => {}) {
  let letGo: () => void = () => {}
  const free = new Promise<void>((resolve) => {
    letGo = resolve
  })
  let closed = false
  const plugin = definePlugin({
    name,
    version: 'v1.0.0',
    pattern: `${name}/**`,
    timeoutMs: 60_000,
    async getSecrets({ text }) {
      await free
      return [{ id: text, value: 'before' }]
    },
    async close() {
      closed = true
      await close()
    },
  })
  const config = pluginConfig(['before'], { name })
  const hosted: HostedPlugin = Object.freeze({ ...plugin, config, start() {} })
  return { hosted, letGo, isClosed: () => closed }
}

test('a plugin that was changed is there in every turn, and the one before answers what it was asked', async (t) => {
  const [changed, gone] = [held('changed'), held('gone')]
  const log = new TestLog()
  const engine = await createEngine({ plugins: [changed.hosted, gone.hosted], log })
  t.teardown(() => engine.close())
  const asked = Promise.all([engine.getSecrets('changed/a'), engine.getSecrets('gone/a')])

  const config = await configOf(t, [lines('changed'), lines('added')])
  const { plugins, ended } = updatePlugins(engine, [changed.hosted, gone.hosted], config, { log })
  const listed = await engine.listPlugins()
  t.deepEqual(
    listed.map(({ name, version }) => `${name} ${version}`),
    ['added v0.0.0', 'changed v0.0.0'],
  )
  t.deepEqual(
    plugins.map((plugin) => plugin.config),
    [lines('changed'), lines('added')],
  )
  t.false(changed.isClosed() || gone.isClosed())

  changed.letGo()
  gone.letGo()
  for (const [secret] of await asked) t.is(await secret?.use((bytes) => Buffer.from(bytes).toString()), 'before')
  await ended
  t.true(changed.isClosed() && gone.isClosed())
  t.deepEqual(log.lines, [])
})

test('what is configured as before stays, though what is made for it again would be another', async (t) => {
  const kept = held('kept')
  const engine = await createEngine({ plugins: [kept.hosted] })
  t.teardown(() => engine.close())
  const config = await configOf(t, [pluginConfig(['before'], { name: 'kept' })])
  const { plugins, ended } = updatePlugins(engine, [kept.hosted], config)
  await ended
  t.deepEqual(plugins, [kept.hosted])
  t.false(kept.isClosed())
})

test('a plugin that cannot be ended is logged', async (t) => {
  const broken = held('broken', () => Promise.reject(new Error('no')))
  const log = new TestLog()
  const engine = await createEngine({ plugins: [broken.hosted] })
  t.teardown(() => engine.close())
  const { plugins, ended } = updatePlugins(engine, [broken.hosted], await configOf(t, []), { log })
  await ended
  t.deepEqual(plugins, [])
  t.like(log.lines, [
    { level: 'error', message: 'a plugin cannot be ended', facts: { plugin: 'broken', code: 'SE_PLUGIN_FAILURE' } },
  ])
})

test('a plugin that cannot be made anew stays as it was, and that is logged', async (t) => {
  const changed = held('changed')
  const log = new TestLog()
  const engine = await createEngine({ plugins: [changed.hosted] })
  t.teardown(() => engine.close())
  const config = await configOf(t, [lines('changed')])
  mkdirSync(dirname(config.paths.pluginStateFile), { recursive: true })
  writeFileSync(config.paths.pluginStateFile, 'broken')
  const { plugins, ended } = updatePlugins(engine, [changed.hosted], config, { log })
  await ended
  t.deepEqual(plugins, [changed.hosted])
  t.false(changed.isClosed())
  t.like(log.lines, [{ message: 'a plugin cannot be made', facts: { plugin: 'changed', code: 'SE_INVALID_CONFIG' } }])
})

test('a plugin whose name another has taken is not added, and the others are', async (t) => {
  const dialled = held('taken')
  const log = new TestLog()
  const engine = await createEngine({ plugins: [dialled.hosted] })
  t.teardown(() => engine.close())
  const { plugins, ended } = updatePlugins(engine, [], await configOf(t, [lines('taken'), lines('added')]), { log })
  await ended
  t.deepEqual(
    plugins.map(({ name }) => name),
    ['added'],
  )
  t.like(log.lines, [{ message: 'a plugin cannot be added', facts: { plugin: 'taken', code: 'SE_PLUGIN_DUPLICATE' } }])
})
