// A daemon that is killed, and what becomes of those who ask it.
import { Agent } from 'node:http'
import anyTest from 'ava'
import { connect } from '../../src/client/connect.js'
import { SecretsError } from '../../src/index.js'
import { getSecrets, type JsonError } from '../helpers/ask.js'
import { startDaemon } from '../helpers/daemon.js'
import { buildGoFirst, type GoAnswer, goMissing, startGo } from '../helpers/go.js'

// One after the other: each starts processes that have seconds to answer.
const test = goMissing() === undefined ? anyTest.serial : anyTest.serial.skip

buildGoFirst(anyTest)

test('when the daemon is killed under load and started again, clients and plugins recover by themselves', async (t) => {
  t.timeout(110_000)
  const daemon = await startDaemon(t)
  const { home, socket } = daemon
  await home.ok(['set', 'vault/mine'], { stdin: 'mine' })
  const flags = ['-socket', socket, '-name', 'vault', '-pattern', 'vault/**', '-echo', '-reconnect']
  const plugin = await startGo('plugin', flags, (fn) => t.teardown(fn))
  await plugin.line(/^registered$/)

  const go = await startGo('client', ['-socket', socket, '-response-timeout', '0'], (fn) => t.teardown(fn))
  const ours = await connect({ socket })
  t.teardown(() => ours.close())
  const agent = new Agent({ keepAlive: true, maxSockets: 8 })
  t.teardown(() => agent.destroy())
  const viaHttp = async (): Promise<string> => {
    const reply = await getSecrets(socket, 'vault/mine', agent)
    return reply.status === 200 ? 'ok' : reply.json<JsonError>().code
  }
  const clients: Record<string, () => Promise<string>> = {
    'the Go client': async () => (await go.ask<GoAnswer>('get vault/mine')).code ?? 'ok',
    'our client': async () => {
      const secrets = await ours.getSecrets('vault/mine')
      for (const secret of secrets) secret.dispose()
      return 'ok'
    },
    ...Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`HTTP client ${n}`, viaHttp])),
  }

  const last = new Map<string, { ok: boolean; told: string }>()
  let waiting: (() => void)[] = []
  let over = false
  const loads = Object.entries(clients).map(async ([name, ask]) => {
    while (!over) {
      const told = await ask().catch((error: Error) => (SecretsError.is(error) ? error.code : String(error)))
      last.set(name, { ok: told === 'ok', told })
      for (const wake of waiting.splice(0)) wake()
      await new Promise(setImmediate)
    }
  })
  /** Waits until each client has been answered anew, with success or without. */
  const each = async (ok: boolean): Promise<void> => {
    last.clear()
    while (Object.keys(clients).some((name) => last.get(name)?.ok !== ok))
      await new Promise<void>((resolve) => waiting.push(resolve))
  }

  await each(true)
  for (let n = 0; n < 3; n++) {
    await daemon.kill()
    await each(false)
    await daemon.restart()
    await each(true)
    await plugin.line(/^registered$/)
  }
  over = true
  await Promise.all(loads)
  waiting = []
  const reply = await getSecrets(socket, 'vault/mine')
  t.regex(reply.body.toString(), /"docker-pass"[\s\S]*"vault"/)
})

test('a daemon that is stopped answers what is under way, and loses nothing', async (t) => {
  const daemon = await startDaemon(t)
  const flags = ['-socket', daemon.socket, '-name', 'slow', '-pattern', 'slow/**', '-echo', '-delay', '700ms']
  const plugin = await startGo('plugin', flags, (fn) => t.teardown(fn))
  await plugin.line(/^registered$/)
  const asked = Array.from({ length: 10 }, (_, n) => getSecrets(daemon.socket, `slow/${n}`))
  for (let n = 0; n < 10; n++) await plugin.line(/^asked/)
  t.is(await daemon.stop(), 0)
  t.deepEqual(
    (await Promise.all(asked)).map(({ status }) => status),
    Array.from({ length: 10 }, () => 200),
  )
  await plugin.line(/^ended <nil>$/)
  await t.throwsAsync(getSecrets(daemon.socket, 'slow/0'))
})
