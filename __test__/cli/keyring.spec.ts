// What only a keyring shows: interop, locks, and that it is used where nothing was chosen. The cases of secrets.json run
// on it as well.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { type Keyring, type KeyringVariant, keyringMissing, startKeyring } from '../helpers/keyring.js'
import { checkBundle, createHome, type Home } from '../helpers/se.js'

const onAKeyring = keyringMissing() === undefined ? test.serial : test.serial.skip
const docker = ['service:group', 'com.docker.docker-pass', 'service:name', 'docker-pass-cli']

test.before(checkBundle)

async function start(
  remove: (fn: () => void) => void,
  variant: KeyringVariant = 'unlocked',
): Promise<{ keyring: Keyring; home: Home }> {
  const keyring = await startKeyring(variant)
  const home = createHome(remove)
  for (const name of ['DBUS_SESSION_BUS_ADDRESS', 'XDG_RUNTIME_DIR']) home.env[name] = keyring.env[name]
  return { keyring, home }
}

onAKeyring('a secret of secret-tool is read, and one of se is found by secret-tool', async (t) => {
  const { keyring, home } = await start(t.teardown.bind(t))
  await using _ = keyring
  const attributes = [...docker, 'id', 'team/db', 'x_owner', 'ada']
  await keyring.run('secret-tool', ['store', '--label=x', ...attributes], 'hunter2')
  t.is(await home.ok(['ls']), 'team/db\n')
  t.is(await home.ok(['get', 'team/db', '--reveal']), 'hunter2')
  const { createdAt, ...rest } = JSON.parse(await home.ok(['get', 'team/db', '--json', '--reveal']))
  t.regex(createdAt, /^\d{4}-/)
  t.is(rest.value, 'hunter2')
  t.deepEqual(rest.metadata, { owner: 'ada' })
  await home.ok(['set', 'team/new', '-m', 'owner=bob'], { stdin: 'fresh\n' })
  const found = await keyring.run('secret-tool', ['lookup', ...docker, 'id', 'team/new', 'x_owner', 'bob'])
  t.is(found, 'fresh')
  t.is(await home.ok(['rm', 'team/db', 'team/new']), 'RM: team/db\nRM: team/new\n')
  await t.throwsAsync(keyring.run('secret-tool', ['lookup', ...docker, 'id', 'team/new']))
})

onAKeyring('choosing another kind of store tells that nothing moves, and what copies it', async (t) => {
  const { keyring, home } = await start(t.teardown.bind(t))
  await using _ = keyring
  await home.ok(['set', 'a/b'], { stdin: 'old' })
  const use = async (...args: string[]) => (await home.se(['store', 'use', ...args])).stderr
  const stays = / before stays there, and se does not find it here: (se store import \w+) copies it\n$/
  t.is(stays.exec(await use('file', '--key-file'))?.[1], 'se store import keychain')
  t.notRegex(await use('file'), stays)
  t.is(await home.ok(['store', 'import', 'keychain']), 'a/b\n')
  t.is(stays.exec(await use('keychain'))?.[1], 'se store import file')
  t.notRegex(await use('keychain'), stays)
})

onAKeyring('an ID that several items claim is told apart, and the hint mends it', async (t) => {
  const { keyring, home } = await start(t.teardown.bind(t))
  await using _ = keyring
  for (const owner of ['ada', 'bob']) {
    const attributes = [...docker, 'id', 'team/db', 'x_owner', owner]
    await keyring.run('secret-tool', ['store', '--label=x', ...attributes], owner)
  }
  const { stderr, status } = await home.se(['get', 'team/db'])
  t.is(status, 1)
  t.regex(stderr, /2 items in the keyring claim team\/db\nhint: se set team\/db --force replaces all of them; /)
  await home.ok(['set', 'team/db', '--force'], { stdin: 'one' })
  t.is(await home.ok(['get', 'team/db', '--reveal']), 'one')
})

onAKeyring('se run gives the values of the keyring to the command', async (t) => {
  const { keyring, home } = await start(t.teardown.bind(t))
  await using _ = keyring
  await home.ok(['set', 'a/b'], { stdin: 'from the keyring' })
  const printed = await home.ok(['run', '--', 'sh', '-c', 'printf %s "$TOKEN"'], { env: { TOKEN: 'se://a/*' } })
  t.is(printed, 'from the keyring')
})

onAKeyring(
  'a locked keyring ends every command with 4 and changes nothing; se store and se doctor still tell',
  async (t) => {
    const { keyring, home } = await start(t.teardown.bind(t))
    await using _ = keyring
    await home.ok(['set', 'a/b'], { stdin: 'old' })
    await keyring.lock()
    const commands = [
      ['get', 'a/b'],
      ['get', 'none'],
      ['ls'],
      ['set', 'a/b', '--force'],
      ['set', 'new'],
      ['mv', 'a/b', 'c'],
      ['cp', 'a/b', 'c'],
      ['generate', 'g'],
      ['rm', 'a/b'],
      ['rm', '--all', '--yes'],
    ]
    for (const command of commands) {
      const { stdout, stderr, status } = await home.se(command, { stdin: 'new' })
      t.is(status, 4, command.join(' '))
      t.is(stdout.toString(), '', command.join(' '))
      t.regex(stderr, /the keyring is locked/, command.join(' '))
    }
    const run = await home.se(['run', '--', 'touch', 'ran'], { env: { TOKEN: 'se://a/b' } })
    t.is(run.status, 125)
    t.regex(run.stderr, /^se: TOKEN: .*the keyring is locked/)
    t.regex(await home.ok(['store']), /^Locked: +yes$/m)
    await home.ok(['store', 'use', 'keychain'])
    t.regex((await home.se(['doctor'])).stdout.toString(), /^warn +store: keychain .*locked.*\n +unlock it /m)
    await keyring.unlock()
    t.is(await home.ok(['ls']), 'a/b\n')
    t.is(await home.ok(['get', 'a/b', '--reveal']), 'old')
  },
)

onAKeyring('a service without a collection is told apart from none at all', async (t) => {
  for (const [variant, message] of [
    ['no-collection', /^se: .*no collection to keep secrets in\nhint: /],
    ['no-service', /^se: no store was chosen, and no OS keychain answers: .*\nhint: .*se store use file\n$/],
  ] as const) {
    const { keyring, home } = await start(t.teardown.bind(t), variant)
    await using _ = keyring
    const { stderr, status } = await home.se(['set', 'a'], { stdin: 'x' })
    t.is(status, 5, variant)
    t.regex(stderr, message)
    t.is((await home.se(['get', 'a'])).status, 5, variant)
    t.is((await home.se(['store', 'use', 'keychain'])).status, 5, variant)
    t.false(existsSync(join(home.folder, 'config/se-native')), variant)
  }
})

onAKeyring('the policy newest knows when items of the keyring were made', async (t) => {
  const { keyring } = await start(t.teardown.bind(t))
  await using _ = keyring
  const library = new URL('../../src/index.ts', import.meta.url).href
  // The service tells whole seconds.
  const program = `
    const { openStore, resolve } = await import(${JSON.stringify(library)})
    const store = await openStore()
    for (const id of ['z/a', 'z/b']) {
      await store.set(id, id)
      await new Promise((resolve) => setTimeout(resolve, 1100))
    }
    await store.set('z/a', 'changed', { overwrite: true })
    const { id, createdAt } = await resolve('se://z/**', { policy: 'newest' })
    process.stdout.write(id + ' ' + (createdAt instanceof Date))`
  const args = ['--import=tsx', '--input-type=module', '--eval', program]
  t.is(await keyring.run(process.execPath, args), 'z/b true')
})
