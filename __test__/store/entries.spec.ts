import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { openStore } from '../../src/index.js'
import { keyringMissing, startKeyring } from '../helpers/keyring.js'

const missing = keyringMissing()
const onAKeyring = missing === undefined ? test : test.skip
const run = promisify(execFile)
const library = new URL('../../src/index.ts', import.meta.url).href

// The bus is found by the environment of the process, which a worker of ava cannot change.
async function inProcess(env: NodeJS.ProcessEnv, body: string): Promise<unknown> {
  const program = `import { openStore } from ${JSON.stringify(library)}\n${body}`
  const args = ['--import=tsx', '--input-type=module', '--eval', program]
  const { stdout } = await run(process.execPath, args, { env, cwd: fileURLToPath(new URL('../..', import.meta.url)) })
  return JSON.parse(stdout)
}

onAKeyring('openStore of the kind entries reads, lists, writes and deletes what secret-tool keeps', async (t) => {
  await using keyring = await startKeyring()
  await keyring.run('secret-tool', ['store', '--label=x', 'service', 'my-app', 'username', 'me'], 'hunter2')
  const seen = await inProcess(
    keyring.env,
    `const store = await openStore({ kind: 'entries', service: 'my-app', prompt: false })
    const before = await store.list()
    const value = await (await store.get('me')).text()
    await store.set('team/other', 'new')
    await store.delete('me')
    const { kind, location } = await store.describe()
    console.log(JSON.stringify({ ids: before.map(({ id }) => id), value, kind, location }))`,
  )
  t.deepEqual(seen, { ids: ['me'], value: 'hunter2', kind: 'entries', location: 'entries of the service my-app' })
  const found = await keyring.run('secret-tool', ['lookup', 'service', 'my-app', 'username', 'team/other'])
  t.is(found, 'new')
  await t.throwsAsync(keyring.run('secret-tool', ['lookup', 'service', 'my-app', 'username', 'me']))
})

test('openStore of the kind entries rejects with SE_INVALID_OPTION without a service', async (t) => {
  await t.throwsAsync(openStore({ kind: 'entries' }), { code: 'SE_INVALID_OPTION' })
  await t.throwsAsync(openStore({ kind: 'entries', service: '' }), { code: 'SE_INVALID_OPTION' })
})
