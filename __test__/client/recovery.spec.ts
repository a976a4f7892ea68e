// The client when its daemon goes and comes back: real daemons, killed.
import test, { type ExecutionContext } from 'ava'
import { type Client, connect, SecretsError } from '../../src/index.js'
import { type Daemon, startDaemon } from '../helpers/daemon.js'
import { checkBundle } from '../helpers/se.js'

const onUnix = process.platform === 'win32' ? test.skip : test

test.before(checkBundle)

/** A daemon with one secret, and a client of it. */
async function start(t: ExecutionContext, config = ''): Promise<{ daemon: Daemon; client: Client }> {
  const daemon = await startDaemon(t, { config })
  await daemon.home.ok(['set', 'a/b'], { stdin: 'hunter2' })
  const client = await connect({ socket: daemon.socket })
  t.teardown(() => client.close())
  return { daemon, client }
}

async function valueOf(client: Client): Promise<string | undefined> {
  return (await client.getSecrets('a/b'))[0]?.text()
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (error: unknown) => error,
  )
  return SecretsError.is(error) ? error.code : `no failure of ours: ${error}`
}

onUnix(
  'a request fails when the daemon is killed under it, and the next finds the one that was started again',
  async (t) => {
    const hangs = '[plugins.hangs]\ncommand = ["sleep", "1000"]\nprotocol = "lines"\npattern = "hangs/**"'
    const { daemon, client } = await start(t, hangs)
    const underWay = codeOf(client.getSecrets('hangs/a'))
    t.is(await valueOf(client), 'hunter2')
    await daemon.kill()
    t.is(await underWay, 'SE_DAEMON_UNREACHABLE')
    t.is(await codeOf(client.getSecrets('a/b')), 'SE_DAEMON_UNREACHABLE')
    t.true(client.lost)
    await daemon.restart()
    t.is(await valueOf(client), 'hunter2')
    t.false(client.lost)
  },
)

for (const end of ['stop', 'kill'] as const) {
  onUnix(`a daemon that was restarted after a ${end} is found without a failure`, async (t) => {
    const { daemon, client } = await start(t)
    t.is(await valueOf(client), 'hunter2')
    const before = daemon.pid
    await daemon[end]()
    await daemon.restart()
    t.not(daemon.pid, before)
    t.is(await valueOf(client), 'hunter2')
  })
}

onUnix('a daemon that stands still is told to hang, and found again when it goes on', async (t) => {
  const { daemon } = await start(t)
  daemon.signal('SIGSTOP')
  t.is(await codeOf(connect({ socket: daemon.socket })), 'SE_DAEMON_UNREACHABLE')
  daemon.signal('SIGCONT')
  const client = await connect({ socket: daemon.socket })
  t.is(await valueOf(client), 'hunter2')
  await client.close()
})
