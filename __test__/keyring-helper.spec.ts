import { existsSync } from 'node:fs'
import test from 'ava'
import { keyringMissing, startKeyring } from './helpers/keyring.js'

const missing = keyringMissing()
const withKeyring = missing ? test.skip : test
if (missing) test(`keyring tests are skipped: ${missing}`, (t) => t.pass())

withKeyring('the test keyring starts unlocked, locks, unlocks, and leaves nothing behind', async (t) => {
  const keyring = await startKeyring()
  t.teardown(() => keyring.stop())
  t.false(await keyring.locked())
  await keyring.lock()
  t.true(await keyring.locked())
  await keyring.unlock()
  t.false(await keyring.locked())

  const attributes = ['service:group', 'test', 'id', 'a/b']
  await keyring.run('secret-tool', ['store', '--label=test', ...attributes], 'value')
  t.is(await keyring.run('secret-tool', ['lookup', ...attributes]), 'value')

  const folder = keyring.env['XDG_RUNTIME_DIR'] ?? ''
  t.true(existsSync(folder))
  await keyring.stop()
  t.false(existsSync(folder))
  t.throws(() => process.kill(Number(keyring.env['SE_KEYRING_PID']), 0), { code: 'ESRCH' })
})

withKeyring('the test keyring starts locked when asked to', async (t) => {
  const keyring = await startKeyring('locked')
  t.teardown(() => keyring.stop())
  t.true(await keyring.locked())
})

withKeyring('the test bus without a service has no owner of org.freedesktop.secrets', async (t) => {
  const keyring = await startKeyring('no-service')
  t.teardown(() => keyring.stop())
  await t.throwsAsync(keyring.locked(), { message: /ServiceUnknown/ })
})
