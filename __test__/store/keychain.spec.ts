import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { keyringMissing, startKeyring } from '../helpers/keyring.js'

const missing = keyringMissing()
const onAKeyring = missing === undefined ? test : test.skip
const run = promisify(execFile)
const library = new URL('../../src/index.ts', import.meta.url).href

// The bus is found by the environment of the process, which a worker of ava cannot change.
async function inProcess(env: NodeJS.ProcessEnv, body: string): Promise<unknown> {
  const program = `import * as se from ${JSON.stringify(library)}
    const code = (promise) => promise.then(() => 'no error', (error) => error.code)
    ${body}`
  const args = ['--import=tsx', '--input-type=module', '--eval', program]
  const { stdout } = await run(process.execPath, args, { env, cwd: fileURLToPath(new URL('../..', import.meta.url)) })
  return JSON.parse(stdout)
}

onAKeyring('without a choice the keyring that answers is used, and resolve reads what was set in it', async (t) => {
  await using keyring = await startKeyring()
  const seen = await inProcess(
    keyring.env,
    `const store = await se.openStore()
    await store.setMany(['db/user', 'db/password'].map((id) => ({ id, value: 'value of ' + id })))
    const { kind, locked } = await store.describe()
    console.log(JSON.stringify({
      kind,
      locked,
      text: await se.resolve('se://db/password').text(),
      all: (await se.resolveAll('se://db/*')).map((secret) => [secret.id, secret.plugin]),
      missing: await code(se.resolve('se://db/none')),
    }))`,
  )
  t.deepEqual(seen, {
    kind: 'keychain',
    locked: false,
    text: 'value of db/password',
    all: [
      ['db/password', 'docker-pass'],
      ['db/user', 'docker-pass'],
    ],
    missing: 'SE_NOT_FOUND',
  })
})

onAKeyring('a locked keyring is never SE_NOT_FOUND, and is read once it is unlocked', async (t) => {
  await using keyring = await startKeyring()
  await inProcess(keyring.env, `await (await se.openStore()).set('a', 'x'); console.log('null')`)
  await keyring.lock()
  const body = `const engine = await se.createEngine({ plugins: [se.keychain({ kind: 'keychain', prompt: false })] })
    console.log(JSON.stringify([await code(se.resolve('se://a', { engine })), await code(se.resolve('se://none', { engine }))]))`
  const locked = (await inProcess(keyring.env, body)) as string[]
  for (const answer of locked) t.true(['SE_LOCKED', 'SE_INTERACTION_REQUIRED'].includes(answer), answer)
  await keyring.unlock()
  t.deepEqual(await inProcess(keyring.env, body), ['no error', 'SE_NOT_FOUND'])
})
