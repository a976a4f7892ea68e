import test from 'ava'
import { chooseStore, describeChoice, type KeychainProbe } from '../../src/config/choose-store.js'
import { readConfig } from '../../src/config/config.js'

const answers: KeychainProbe = async () => 'gnome-keyring'
const fails: KeychainProbe = async () => {
  throw new Error('no session bus')
}
const never: KeychainProbe = async () => {
  throw new Error('the keychain was asked although a store was chosen')
}
const config = (env: NodeJS.ProcessEnv = {}) =>
  readConfig({ HOME: '/h', XDG_CONFIG_HOME: '/nowhere', XDG_DATA_HOME: '/d', ...env })

test('what the caller asks for wins over the configuration, and the keychain is not asked', async (t) => {
  const chosen = await chooseStore({ kind: 'file' }, never, await config({ SE_STORE: 'keychain' }))
  t.like(chosen, { kind: 'file', path: '/d/se-native/store.age', identity: '/d/se-native/identity.age' })
  t.deepEqual(chosen.because, { from: 'option' })
  t.is(describeChoice(chosen), 'by --store')
})

test('auto follows the configuration, and the keychain is not asked', async (t) => {
  const chosen = await chooseStore({ kind: 'auto' }, never, await config({ SE_STORE: 'file' }))
  t.like(chosen, { kind: 'file', because: { from: 'variable', name: 'SE_STORE' } })
  t.is((await chooseStore({}, never, await config({ SE_STORE: 'keychain' }))).kind, 'keychain')
})

test('without a choice, the keychain that answers is taken', async (t) => {
  const chosen = await chooseStore({}, answers, await config())
  t.deepEqual(chosen, { kind: 'keychain', because: { from: 'probe', answered: 'gnome-keyring' } })
})

test('without a choice and a keychain, the reason and the command that mends it are told', async (t) => {
  const error = await t.throwsAsync(chooseStore({}, fails, await config()))
  t.like(error, {
    code: 'SE_STORE_UNAVAILABLE',
    message: 'no store was chosen, and no OS keychain answers: no session bus',
    hint: 'keep secrets in an encrypted file: se store use file',
  })
  t.is((error?.cause as Error).message, 'no session bus')
})

test('a path that is asked for brings its own identity', async (t) => {
  const chosen = await chooseStore({ kind: 'file', path: '/x/s.age' }, never, await config({ SE_IDENTITY: '/k' }))
  t.like(chosen, { path: '/x/s.age', identity: '/x/identity.age' })
  const named = await chooseStore({ kind: 'file', path: '/x/s.age', identity: '/k' }, never, await config())
  t.like(named, { path: '/x/s.age', identity: '/k' })
})
