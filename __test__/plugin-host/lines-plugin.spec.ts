import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import type { PluginConfig } from '../../src/config/tables.js'
import { parsePattern } from '../../src/pattern.js'
import type { HostedPlugin } from '../../src/plugin-host/launched-plugin.js'
import { linesPlugin } from '../../src/plugin-host/lines-plugin.js'
import type { Secret } from '../../src/secret.js'
import { Canary } from '../helpers/canary.js'
import { context, createTestHost, pluginConfig, type TestHost } from '../helpers/plugin-host.js'

/** A plugin that is a script for sh. */
function script(
  t: ExecutionContext,
  text: string,
  more: Partial<PluginConfig> = {},
): { plugin: HostedPlugin; host: TestHost } {
  const host = createTestHost((fn) => t.teardown(fn))
  const plugin = linesPlugin(pluginConfig(['sh', '-c', text], { protocol: 'lines', ...more }), host)
  t.teardown(() => plugin.close?.())
  return { plugin, host }
}

const ask = async (
  plugin: HostedPlugin,
  patterns: readonly string[] = ['a'],
  signal?: AbortSignal,
): Promise<Secret[]> => [
  ...(((await plugin.getMany?.(patterns.map(parsePattern), context(signal))) ?? []) as Iterable<Secret>),
]

test('a program gets a line for each pattern, with who asks, and its lines are secrets', async (t) => {
  const { plugin, host } = script(
    t,
    `cat >&2; echo '{"id":"a","value":"välue"}'; echo '{"id":"b","valueBase64":"AP8="}'`,
  )
  const [a, b, ...others] = await ask(plugin, ['a', 'b/**'])
  t.is(a?.text(), 'välue')
  t.deepEqual(b?.bytes(), new Uint8Array([0, 255]))
  t.deepEqual(others, [])
  await plugin.close?.()
  const requester = '"requester":{"pid":1,"name":"program","path":"/bin/program"}'
  t.is(host.written('test'), `{"pattern":"a",${requester}}\n{"pattern":"b/**",${requester}}\n`)
})

test('facts beside a value are the secret’s', async (t) => {
  const facts =
    '"version":"3","metadata":{"owner":"Zoë"},"createdAt":"2020-01-02T03:04:05Z","expiresAt":"2999-01-01T00:00:00Z"'
  const { plugin } = script(t, `echo '{"id":"a","value":"v",${facts}}'`)
  const [secret] = await ask(plugin)
  t.like(secret, { version: '3', metadata: { owner: 'Zoë' } })
  t.is(secret?.createdAt?.toISOString(), '2020-01-02T03:04:05.000Z')
  t.is(secret?.expiresAt?.toISOString(), '2999-01-01T00:00:00.000Z')
})

test('a program that prints nothing found nothing', async (t) => {
  t.deepEqual(await ask(script(t, 'true').plugin), [])
})

test('a program need not read its input', async (t) => {
  const { plugin } = script(t, `exec <&-; echo '{"id":"a","value":"v"}'`)
  const patterns = Array.from({ length: 2000 }, (_, number) => `a/${number}/${'x'.repeat(200)}`)
  t.is((await ask(plugin, patterns)).length, 1)
})

test('an id that is printed for several patterns counts once; twice for one pattern stays twice', async (t) => {
  const { plugin } = script(t, `echo '{"id":"a","value":"v"}'; echo '{"id":"a","value":"v"}'`)
  t.is((await ask(plugin, ['a', '*'])).length, 1)
  t.is((await ask(plugin, ['a'])).length, 2)
})

test('another status than 0 is a failure that names it, and what was printed counts for nothing', async (t) => {
  const canary = Canary.random()
  const { plugin, host } = script(t, `echo '{"id":"a","value":"${canary.text}"}'; echo oops >&2; exit 7`)
  const error = await t.throwsAsync(ask(plugin), {
    code: 'SE_PLUGIN_FAILURE',
    message: 'its program ended with status 7',
  })
  t.is(canary.foundIn(JSON.stringify(error)), undefined)
  await plugin.close?.()
  t.regex(host.written('test'), /^oops\n.* se: ended with status 7\n$/)
})

for (const [title, printed] of [
  ['text that is no JSON', 'CANARY'],
  ['a line without an id', '{"value":"CANARY"}'],
  ['a value of another type', '{"id":"a","value":["CANARY"]}'],
  ['base64 that is none', '{"id":"a","valueBase64":"CANARY!"}'],
  ['half a line', '{"id":"a","value":"CANARY'],
] as const) {
  test(`${title} is a failure that names the line and quotes nothing`, async (t) => {
    const canary = Canary.random()
    const { plugin, host } = script(
      t,
      `echo '{"id":"b","value":"x"}'; echo '${printed.replace('CANARY', canary.text)}'`,
    )
    const error = await t.throwsAsync(ask(plugin), {
      code: 'SE_PLUGIN_FAILURE',
      message: 'line 2 of what its program printed is not an answer',
    })
    t.is(canary.foundIn(`${JSON.stringify(error)}${error?.stack}`), undefined)
    await plugin.close?.()
    t.throws(() => host.written('test')) // nothing was written
  })
}

test('a program that prints too much is ended', async (t) => {
  const { plugin } = script(t, 'yes')
  await t.throwsAsync(ask(plugin), { code: 'SE_LIMIT_EXCEEDED', message: /printed more than 64 MiB/ })
})

test('a program that cannot be started is unavailable, and is so until it can', async (t) => {
  const host = createTestHost((fn) => t.teardown(fn))
  const program = join(host.folder, 'program')
  const plugin = linesPlugin(pluginConfig([program], { protocol: 'lines' }), host)
  t.like(plugin.state?.(), { status: 'running' })
  await t.throwsAsync(ask(plugin), { code: 'SE_PLUGIN_UNAVAILABLE', message: /there is no such program$/ })
  t.deepEqual(plugin.state?.(), {
    status: 'crashed',
    message: 'its program cannot be started: there is no such program; is tried for each request',
  })
  writeFileSync(program, '#!/bin/sh\n', { mode: 0o755 })
  t.deepEqual(await ask(plugin), [])
  t.like(plugin.state?.(), { status: 'running' })
})

test('when nobody waits any more, the program and all that it started is killed', async (t) => {
  const { plugin, host } = script(t, 'sleep 600 & echo $! >"$FOLDER/pid"; wait')
  const withFolder = linesPlugin({ ...plugin.config, env: { FOLDER: host.folder } }, host)
  t.teardown(() => withFolder.close?.())
  const abort = new AbortController()
  const asked = ask(withFolder, ['a'], abort.signal)
  const pid = await fileWith(`${host.folder}/pid`)
  abort.abort(new Error('enough'))
  await t.throwsAsync(asked, { message: 'enough' })
  while (isAlive(Number(pid))) await new Promise(setImmediate)
  t.pass()
})

test('what a program starts and leaves behind holds neither its request nor the next ones', async (t) => {
  const started = `require('node:child_process').spawn('sleep', ['600'], { detached: true, stdio: 'inherit' })`
  const save = `require('node:fs').writeFileSync(process.env.FOLDER + '/pid', String(sleep.pid))`
  const script = `console.log('{"id":"a","value":"v"}'); const sleep = ${started}; ${save}; sleep.unref()`
  const host = createTestHost((fn) => t.teardown(fn))
  const config = { protocol: 'lines', env: { FOLDER: host.folder } } as const
  const plugin = linesPlugin(pluginConfig([process.execPath, '-e', script], config), host)
  t.teardown(() => plugin.close?.())
  t.teardown(() => void process.kill(Number(readFileSync(`${host.folder}/pid`, 'utf8')), 'SIGKILL'))
  await t.throwsAsync(ask(plugin), {
    code: 'SE_PLUGIN_FAILURE',
    message: 'what its program started outlives it, and holds its output',
  })
})

test('at most eight processes run at once, and those that wait can give up', async (t) => {
  const { plugin } = script(t, `cat >/dev/null; sleep 600`)
  const abort = new AbortController()
  const asked = Array.from({ length: 8 }, () => ask(plugin, ['a'], abort.signal))
  const waiting = new AbortController()
  const ninth = ask(plugin, ['a'], waiting.signal)
  waiting.abort(new Error('gave up'))
  await t.throwsAsync(ninth, { message: 'gave up' })
  abort.abort(new Error('enough'))
  const results = await Promise.allSettled(asked)
  t.true(results.every(({ status }) => status === 'rejected'))
})

test('closing ends what still runs', async (t) => {
  const { plugin, host } = script(t, 'true')
  const env = { FOLDER: host.folder }
  const command = ['sh', '-c', 'echo started >"$FOLDER/state"; sleep 600'] as const
  const waiting = linesPlugin({ ...plugin.config, command, env }, host)
  const asked = ask(waiting)
  await fileWith(`${host.folder}/state`)
  await waiting.close?.()
  await t.throwsAsync(asked, { code: 'SE_PLUGIN_FAILURE', message: 'its program was ended by SIGKILL' })
})

test('what a program still writes when its log is closed is lost, and nothing else', async (t) => {
  const { plugin } = script(t, 'trap "" TERM; while :; do echo noise >&2; done')
  const asked = ask(plugin)
  asked.catch(() => {})
  for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate)
  await plugin.close?.()
  await t.throwsAsync(asked)
})

test('disabling is remembered', async (t) => {
  const { plugin, host } = script(t, 'true')
  t.is(plugin.state?.().status, 'running')
  await plugin.setEnabled?.(false)
  t.deepEqual(plugin.state?.(), { status: 'stopped', message: 'is disabled' })
  t.deepEqual(host.states.disabled(), ['test'])
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}

async function fileWith(path: string): Promise<string> {
  for (;;) {
    try {
      const text = readFileSync(path, 'utf8')
      if (text.endsWith('\n')) return text
    } catch {}
    await new Promise(setImmediate)
  }
}
