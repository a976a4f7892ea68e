// Docker's programs find our daemon with no setting. Its address in the abstract space is one for the whole machine, so
// these tests run one after the other.
import { join } from 'node:path'
import anyTest from 'ava'
import { startDaemon } from '../helpers/daemon.js'
import { buildGoFirst, goClient, goMissing, startGo } from '../helpers/go.js'

const test = goMissing() === undefined ? anyTest.serial : anyTest.serial.skip

buildGoFirst(anyTest)

test('the Go client and a Go plugin find a daemon that was given no address', async (t) => {
  const daemon = await startDaemon(t, { addresses: 'default' })
  await daemon.home.ok(['set', 'mine'], { stdin: 'mine' })
  const { env } = daemon.home
  t.is((await goClient(['get', 'mine'], env)).envelopes?.length, 1)
  t.is((await goClient(['-engine-socket', 'get', 'mine'], env)).envelopes?.length, 1)
  t.is((await goClient(['-socket', daemon.socket, 'get', 'mine'], env)).envelopes?.length, 1)

  const plugin = await startGo(
    'plugin',
    ['-name', 'vault', '-pattern', 'vault/**', '-echo'],
    (fn) => t.teardown(fn),
    env,
  )
  await plugin.line(/^registered$/)
  t.is((await goClient(['get', 'vault/a'], env)).envelopes?.[0]?.provider, 'vault')
})

test('an address that another program holds is left to it, and the others are served', async (t) => {
  const other = await startGo('engine', ['-socket', `@docker-secrets-engine/${process.getuid?.()}/daemon.sock`], (fn) =>
    t.teardown(fn),
  )
  await other.line(/listening/)
  const daemon = await startDaemon(t, { addresses: 'default' })
  await daemon.home.ok(['set', 'mine'], { stdin: 'mine' })
  const { env } = daemon.home
  t.true((await goClient(['get', 'mine'], env)).notFound)
  t.is((await goClient(['-engine-socket', 'get', 'mine'], env)).envelopes?.length, 1)
  t.regex(await daemon.home.ok(['daemon', 'status']), /docker-secrets-engine\/\d+\/daemon\.sock[^\n]*another program/)
  t.is(await daemon.stop(), 0)
  t.like(await goClient(['-socket', join(env['HOME'] ?? '', '.cache/docker-secrets-engine/engine.sock'), 'version']), {
    notAvailable: true,
  })
})
