import { readdirSync, readFileSync, watch } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Canary, canaryInFiles, canaryInMemory } from '../helpers/canary.js'
import { startDaemon } from '../helpers/daemon.js'
import { createFolder } from '../helpers/daemon-server.js'
import { keyringMissing, startKeyring } from '../helpers/keyring.js'
import { checkBundle, createFileHome, createHome, type Home } from '../helpers/se.js'
import { Steps } from '../helpers/steps.js'

const onLinux = process.platform === 'linux' ? test.serial : test.serial.skip
const onAKeyring = keyringMissing() === undefined ? test.serial : test.serial.skip

test.before(checkBundle)

onLinux('after 1,000 requests no heap snapshot of daemon and client holds the value, and no log', async (t) => {
  await nothingStays(t, await createFileHome((fn) => t.teardown(fn)))
})

onAKeyring('after 1,000 requests for an item of the keychain neither does', async (t) => {
  await using keyring = await startKeyring()
  const home = createHome((fn) => t.teardown(fn))
  Object.assign(home.env, { DBUS_SESSION_BUS_ADDRESS: keyring.env['DBUS_SESSION_BUS_ADDRESS'] })
  await home.ok(['store', 'use', 'keychain'])
  await nothingStays(t, home)
})

/** Looks at a daemon, a client and all files of a home while a value is asked for many times, and afterwards. */
async function nothingStays(t: ExecutionContext, home: Home): Promise<void> {
  const daemon = await startDaemon(t, { home, nodeArguments: ['--heapsnapshot-signal=SIGUSR2'] })
  const { lines, others } = daemon
  const canary = Canary.random()
  await home.ok(['set', 'a/canary'], { stdin: canary.text })
  const folder = createFolder((fn) => t.teardown(fn))
  const fixture = new Steps('client-memory.ts', { args: [daemon.socket, folder] })
  t.teardown(() => fixture.end())
  t.is(await fixture.next(), 'asked')
  t.not(canaryInMemory(canary, fixture.pid).length, 0, 'the scan finds a value that is alive')
  t.deepEqual(canaryInMemory(canary, fixture.pid, 'dumped'), [], 'a core of the client')
  t.is(canary.foundIn(readFileSync(join(folder, 'client.heapsnapshot'))), undefined, 'the heap of the client')

  t.is(canary.foundIn(await snapshotOf(daemon, join(home.folder, 'work'))), undefined, 'the heap of the daemon')
  t.deepEqual(canaryInMemory(canary, daemon.pid, 'dumped'), [], 'a core of the daemon')
  t.true(lines.length >= 1000)
  t.is(canary.foundIn(JSON.stringify([lines, others])), undefined)
  t.deepEqual(canaryInFiles(canary, home.folder), [])

  fixture.goOn()
  t.is(await fixture.next(), 'disposed')
  t.deepEqual(canaryInMemory(canary, fixture.pid), [])
  await daemon.stop()
}

/** Has the daemon write its heap into its working folder, and waits until it is there. */
async function snapshotOf(daemon: { signal(signal: NodeJS.Signals): void }, folder: string): Promise<Buffer> {
  const written = (): string | undefined => readdirSync(folder).find((name) => name.endsWith('.heapsnapshot'))
  const changes = watch(folder)
  try {
    const whole = new Promise<Buffer>((resolve) => {
      changes.on('change', () => {
        const name = written()
        const bytes = name === undefined ? Buffer.alloc(0) : readFileSync(join(folder, name))
        if (bytes.subarray(-8).toString().trimEnd().endsWith(']}')) resolve(bytes)
      })
    })
    daemon.signal('SIGUSR2')
    return await whole
  } finally {
    changes.close()
  }
}
