import { spawnSync } from 'node:child_process'
import { closeSync, openSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { PluginConfig } from '../../src/config/tables.js'
import { parsePattern } from '../../src/pattern.js'
import { type HostedPlugin, launchedPlugin } from '../../src/plugin-host/launched-plugin.js'
import { PluginStates } from '../../src/plugin-host/plugin-states.js'
import { context, createTestHost, plainPlugin, pluginConfig, type TestHost } from '../helpers/plugin-host.js'

/** A plugin of the fixture in this mode. */
function launch(
  t: ExecutionContext,
  mode: string,
  more: Partial<PluginConfig> = {},
  args: readonly string[] = [],
): { plugin: HostedPlugin; host: TestHost } {
  const host = createTestHost((fn) => t.teardown(fn))
  const plugin = launchedPlugin(pluginConfig([process.execPath, plainPlugin, mode, ...args], more), host)
  t.teardown(() => end(plugin, host))
  return { plugin, host }
}

/** Closes a plugin; time goes by as far as it needs. */
async function end(plugin: HostedPlugin, { clock }: TestHost): Promise<void> {
  let isClosed = false
  const closing = Promise.resolve(plugin.close?.()).then(() => {
    isClosed = true
  })
  while (!isClosed) {
    clock.advance(2000)
    await new Promise(setImmediate)
  }
  await closing
}

const ask = (plugin: HostedPlugin, pattern = 'x/a', signal?: AbortSignal) =>
  Promise.resolve(plugin.getMany?.([parsePattern(pattern)], context(signal))).then((answers) =>
    [...(answers ?? [])].map((answer) => ({ id: answer.id, text: 'text' in answer ? answer.text() : '' })),
  )

test('a plugin starts with the first request, and answers', async (t) => {
  const { plugin } = launch(t, 'good')
  t.deepEqual(plugin.state?.(), { status: 'stopped', message: 'starts when it is needed' })
  t.is(plugin.pattern, '**')
  t.deepEqual(await ask(plugin), [{ id: 'x/a', text: 'x/a' }])
  t.deepEqual(plugin.state?.(), { status: 'running' })
  t.is(plugin.pattern, 'x/**')
  t.is(plugin.version, 'v1.2.3')
})

test('what a plugin registered is known before it is started again', async (t) => {
  const { plugin, host } = launch(t, 'good')
  await ask(plugin)
  const later = launchedPlugin(pluginConfig(['/nowhere']), host)
  t.is(later.pattern, 'x/**')
  t.is(later.version, 'v1.2.3')
  await later.close?.()
})

test('a plugin works where nothing can be remembered; one that decides about access does not', async (t) => {
  const host = createTestHost((fn) => t.teardown(fn))
  symlinkSync('nowhere', join(host.folder, 'link')) // neither there nor to be made, also for root
  const unwritable = { ...host, states: new PluginStates(join(host.folder, 'link', 'plugins.json')) }
  const started = (mode: string): HostedPlugin => {
    const plugin = launchedPlugin(pluginConfig([process.execPath, plainPlugin, mode]), unwritable)
    t.teardown(() => end(plugin, host))
    return plugin
  }
  t.is((await ask(started('good'))).length, 1)
  t.is(host.log.lines.filter(({ message }) => message === 'what a plugin has registered is not remembered').length, 1)
  await t.throwsAsync(ask(started('access')), {
    code: 'SE_PLUGIN_UNAVAILABLE',
    message: /plugins\.json cannot be written/,
  })
})

test('a plugin is asked for the narrower of patterns, and what is outside of that is left to the engine, which tells', async (t) => {
  const { plugin } = launch(t, 'foreign', { pattern: 'x/a/**' })
  t.is(plugin.pattern, 'x/a/**')
  t.deepEqual(await ask(plugin, '**'), [
    { id: 'x/a', text: 'x/a/**' },
    { id: 'y/a', text: 'foreign' },
  ])
})

test('a plugin that registers outside of its configured pattern is refused, and the reason told', async (t) => {
  const { plugin } = launch(t, 'good', { pattern: 'y/**' })
  const error = await t.throwsAsync(ask(plugin, 'y/a'), { code: 'SE_PLUGIN_UNAVAILABLE' })
  t.regex(error?.message ?? '', /it registers x\/\*\*, and is configured for y\/\*\*/)
})

test('a plugin gets a clean environment, with what is configured for it', async (t) => {
  process.env['SE_PASSPHRASE'] = 'not for plugins'
  t.teardown(() => delete process.env['SE_PASSPHRASE'])
  const { plugin } = launch(t, 'environment', { env: { ADDRESS: 'there' } }, ['x/**'])
  const [answer] = await ask(plugin, 'x/env')
  const names = Object.keys(JSON.parse(answer?.text ?? '{}'))
  const allowed = /^(PATH|HOME|USER|LOGNAME|LANG|LC_\w+|TZ|TMPDIR|XDG_RUNTIME_DIR|DBUS_SESSION_BUS_ADDRESS)$/
  t.deepEqual(
    names.filter((name) => !allowed.test(name)),
    ['ADDRESS', 'DOCKER_SECRETS_ENGINE_PLUGIN_LAUNCH_CFG'],
  )
  const { env } = { env: JSON.parse(answer?.text ?? '{}') }
  t.deepEqual(JSON.parse(env.DOCKER_SECRETS_ENGINE_PLUGIN_LAUNCH_CFG), { name: 'test', timeout: 5e9, fd: 3 })
})

test('a plugin has standard streams and descriptor 3, and none of ours', async (t) => {
  const open = openSync('/dev/null', 'r')
  t.teardown(() => closeSync(open))
  const host = createTestHost((fn) => t.teardown(fn))
  const look = 'ls -l /proc/$$/fd'
  const plugin = launchedPlugin(pluginConfig(['sh', '-c', look]), host)
  await t.throwsAsync(ask(plugin), { code: 'SE_PLUGIN_UNAVAILABLE', message: /ended with status 0 before/ })
  await end(plugin, host)
  await host.log.written('a plugin ended')
  const fds = new Map([...host.written('test').matchAll(/ (\d+) -> (.*)$/gm)].map(([, fd, what]) => [fd, what]))
  t.deepEqual([...fds.keys()], ['0', '1', '2', '3'])
  t.is(fds.get('0'), '/dev/null')
  t.regex(fds.get('3') ?? '', /^socket:/)
})

test('a plugin that does not exist says so at once, every time', async (t) => {
  const host = createTestHost((fn) => t.teardown(fn))
  const plugin = launchedPlugin(pluginConfig(['/nowhere/plugin']), host)
  t.teardown(() => end(plugin, host))
  for (const _ of [1, 2]) {
    const error = await t.throwsAsync(ask(plugin), { code: 'SE_PLUGIN_UNAVAILABLE' })
    t.regex(error?.message ?? '', /cannot be started: there is no such program; starts again in 2 s \(1 of 5\)$/)
  }
})

test('a plugin that ends before it registers is started again, later each time, at most five times', async (t) => {
  const { plugin, host } = launch(t, 'exit')
  plugin.start()
  for (const [index, seconds] of [2, 4, 8, 16, 32].entries()) {
    await host.log.written('a plugin ended', index + 1)
    t.regex(
      plugin.state?.().message ?? '',
      new RegExp(`ended with status 3 .*; starts again in ${seconds} s \\(${index + 1} of 5\\)$`),
    )
    host.clock.advance(seconds * 1000 - 1)
    t.is(plugin.state?.().status, 'crashed')
    host.clock.advance(1)
  }
  await host.log.written('a plugin ended too often')
  t.like(plugin.state?.(), { status: 'retries exceeded' })
  const error = await t.throwsAsync(ask(plugin), { code: 'SE_PLUGIN_UNAVAILABLE' })
  t.regex(error?.message ?? '', /it was started again 5 times$/)
  t.deepEqual(host.clock.waits, [])
  void plugin.setEnabled?.(true)
  await host.log.written('a plugin ended', 6)
  t.regex(plugin.state?.().message ?? '', /\(1 of 5\)$/)
})

test('a plugin that crashes in a request fails it, and the next one waits until it is there again', async (t) => {
  const { plugin, host } = launch(t, 'crash')
  const crashed = ask(plugin)
  await t.throwsAsync(crashed, { code: 'SE_PLUGIN_UNAVAILABLE' })
  await host.log.written('a plugin ended', 1)
  t.like(plugin.state?.(), { status: 'crashed', message: 'it ended with status 4; starts again in 2 s (1 of 5)' })
  const next = ask(plugin)
  host.clock.advance(2000)
  await host.log.written('a plugin has registered', 2)
  await t.throwsAsync(next, { code: 'SE_PLUGIN_UNAVAILABLE' }) // it was asked, and crashed again
})

test('a request that cannot wait until the next start fails at once', async (t) => {
  const { plugin, host } = launch(t, 'crash', { timeoutMs: 1500 })
  await t.throwsAsync(ask(plugin), { code: 'SE_PLUGIN_UNAVAILABLE' })
  await host.log.written('a plugin ended', 1)
  await t.throwsAsync(ask(plugin), { code: 'SE_PLUGIN_UNAVAILABLE', message: /starts again in 2 s/ })
})

test('a plugin that ran for a minute begins to count again', async (t) => {
  const { plugin, host } = launch(t, 'crash')
  for (const count of [1, 2]) {
    await t.throwsAsync(ask(plugin))
    await host.log.written('a plugin ended', count)
    host.clock.advance(4000)
    await host.log.written('a plugin has registered', count + 1)
  }
  host.clock.advance(60_000)
  await t.throwsAsync(ask(plugin))
  await host.log.written('a plugin ended', 3)
  t.regex(plugin.state?.().message ?? '', /in 2 s \(1 of 5\)$/)
})

test('a plugin that closes its session and goes on is ended, and started again', async (t) => {
  const { plugin, host } = launch(t, 'quit')
  await t.throwsAsync(ask(plugin), { code: 'SE_PLUGIN_UNAVAILABLE' })
  await host.log.written('a plugin ends')
  t.is(plugin.state?.().message, 'it closed its session')
  host.clock.advance(2000)
  await host.log.written('a plugin ended', 1)
  t.regex(plugin.state?.().message ?? '', /^it closed its session; starts again in 2 s/)
})

test('a plugin with another name than its own is refused', async (t) => {
  const { plugin } = launch(t, 'renamed')
  await t.throwsAsync(ask(plugin), { code: 'SE_PLUGIN_UNAVAILABLE', message: /it registers as other/ })
})

test('a request that is aborted while the plugin starts is rejected at once', async (t) => {
  const { plugin } = launch(t, 'never')
  const abort = new AbortController()
  const asked = ask(plugin, 'x/a', abort.signal)
  abort.abort(new Error('enough'))
  await t.throwsAsync(asked, { message: 'enough' })
})

test('a plugin that ignores the request to shut down and SIGINT is killed, with all that it started', async (t) => {
  const { plugin, host } = launch(t, 'stubborn')
  await ask(plugin)
  const pid = Number(/process (\d+)/.exec(host.written('test'))?.[1])
  t.is(groupOf(pid), pid)
  let isClosed = false
  const closing = Promise.resolve(plugin.close?.()).then(() => {
    isClosed = true
  })
  while (host.clock.waits.length === 0) await new Promise(setImmediate)
  t.deepEqual(host.clock.waits, [2000])
  t.true(isAlive(pid))
  host.clock.advance(2000)
  while (host.clock.waits.length === 0) await new Promise(setImmediate)
  t.true(isAlive(pid) && !isClosed)
  host.clock.advance(2000)
  await closing
  t.false(isAlive(pid))
})

test('a disabled plugin is ended and stays so, and enabling starts it', async (t) => {
  const { plugin, host } = launch(t, 'good')
  await ask(plugin)
  await plugin.setEnabled?.(false)
  t.deepEqual(plugin.state?.(), { status: 'stopped', message: 'is disabled' })
  t.deepEqual(JSON.parse(readFileSync(`${host.folder}/plugins.json`, 'utf8')).disabled, ['test'])
  plugin.start()
  t.is(plugin.state?.().status, 'stopped')
  const another = launchedPlugin(pluginConfig(['/nowhere']), host)
  t.is(another.state?.().message, 'is disabled')
  await another.close?.()
  await plugin.setEnabled?.(true)
  await host.log.written('a plugin has registered', 2)
  t.deepEqual(host.states.disabled(), [])
})

test('disabling one that stays is answered before it has ended, and enabling it waits for that', async (t) => {
  const { plugin, host } = launch(t, 'stubborn')
  await ask(plugin)
  const disabling = plugin.setEnabled?.(false)
  while (!host.clock.waits.includes(500)) await new Promise(setImmediate)
  host.clock.advance(500)
  await disabling
  await t.throwsAsync(ask(plugin), { code: 'SE_PLUGIN_UNAVAILABLE' })
  const enabling = plugin.setEnabled?.(true)
  while (host.log.lines.filter(({ message }) => message === 'a plugin has registered').length < 2) {
    host.clock.advance(500)
    await new Promise(setImmediate)
  }
  await enabling
  t.deepEqual(await ask(plugin), [{ id: 'x/a', text: 'x/a' }])
})

test('what a plugin writes is kept in a small file that only its user may read', async (t) => {
  const { plugin, host } = launch(t, 'flood')
  await ask(plugin)
  await end(plugin, host)
  const stat = spawnSync('stat', [
    '-c',
    '%a %s',
    `${host.logFolder}/test.log`,
    `${host.logFolder}/test.log.1`,
    host.logFolder,
  ])
  const sizes = stat.stdout.toString().trim().split('\n')
  t.is(sizes.length, 3)
  for (const line of sizes.slice(0, 2)) {
    const [mode, size] = line.split(' ')
    t.is(mode, '600')
    t.true(Number(size) <= 1 << 20)
  }
  t.regex(sizes[2] ?? '', /^700 /)
})

test('a module that decides about access is asked before anything is given out', async (t) => {
  const asked = { requester: context().requester, signal: undefined }
  for (const [mode, isAllowed] of [
    ['access', true],
    ['deny', false],
  ] as const) {
    const { plugin, host } = launch(t, mode)
    const authorize = async () => host.gate.authorize([parsePattern('a')], asked)
    t.is(host.gate.authorize([parsePattern('a')], asked), undefined) // what it is was not known yet
    t.deepEqual(await ask(plugin), [])
    if (isAllowed) await t.notThrowsAsync(authorize)
    else {
      await t.throwsAsync(authorize, {
        code: 'SE_ACCESS_DENIED',
        message: 'access to a is refused: the plugin test does not allow it',
      })
    }
  }
})

test('a module that decides about access and does not run refuses everything', async (t) => {
  const host = createTestHost((fn) => t.teardown(fn))
  host.states.remember('test', { version: 'v1.0.0', pattern: undefined, kind: 'access control' })
  const plugin = launchedPlugin(pluginConfig(['/nowhere']), host)
  t.teardown(() => end(plugin, host))
  const asked = { requester: context().requester, signal: undefined }
  await t.throwsAsync(async () => host.gate.authorize([parsePattern('a')], asked), {
    code: 'SE_ACCESS_DENIED',
    message: 'access to a is refused: the plugin test could not be asked',
  })
  t.is(host.gate.authorize([], asked), undefined)
  await plugin.setEnabled?.(false)
  t.is(host.gate.authorize([parsePattern('a')], asked), undefined)
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

function groupOf(pid: number): number {
  return Number(spawnSync('ps', ['-o', 'pgid=', '-p', `${pid}`]).stdout.toString())
}
