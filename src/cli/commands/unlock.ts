/** `se unlock`: gives the daemon what opens its store. The passphrase goes from where it is read to the daemon natively. */
import type { Secret } from '../../secret.js'
import type { Command, Context } from '../command.js'

/** Unlocks the daemon's store. */
export const command: Command = {
  name: 'unlock',
  summary: 'open the daemon’s store for all programs',
  usage: ['[< FILE]'],
  description: [
    'Gives the daemon the passphrase of the encrypted file, which it keeps in memory until se lock, or until it ends. The ' +
      'passphrase is the first line of standard input, else that of SE_PASSPHRASE or SE_PASSPHRASE_FILE, else it is asked for ' +
      'on the terminal.',
    'Of an OS keychain, the system asks for what opens it.',
  ],
  flags: [],
  positionals: [],
  extraHint: 'the passphrase is no argument: it is typed, or the first line of standard input',
  examples: [
    { note: 'type it', command: 'se unlock' },
    { note: 'from a file, such as one of a service', command: 'se unlock < /run/secrets/passphrase' },
  ],
  async run(context) {
    const { env, stderr } = context
    const { reachDaemon } = await import('../reach-daemon.js')
    const { client, timeoutMs } = await reachDaemon(env)
    const { storeKind, storeLocation } = await client.describe({ timeoutMs })
    if (storeKind !== 'file') {
      const { Secret } = await import('../../secret.js')
      using nothing = Secret.from('passphrase', '')
      await client.unlock(nothing, { timeoutMs })
      stderr.write('The keychain is unlocked.\n')
      return 0
    }
    if (await isOpen(storeLocation, env)) {
      stderr.write(`The key of ${storeLocation} has no passphrase: nothing is locked.\n`)
      return 0
    }
    await give(context, (passphrase) => client.unlock(passphrase, { timeoutMs }))
    stderr.write(`The daemon has opened ${storeLocation}, for all programs, until se lock.\n`)
    return 0
  },
}

/** Whether the key of the daemon's file needs no passphrase. Unknown, where this process is configured for another file. */
async function isOpen(location: string, env: NodeJS.ProcessEnv): Promise<boolean> {
  const [{ readConfig }, { native }] = await Promise.all([
    import('../../config/config.js'),
    import('../../native/load.js'),
  ])
  const { storePath, identity } = await readConfig(env)
  if (storePath.value !== location) return false
  return (await native().checkStorePassphrase(location, identity.value, undefined)).error === undefined
}

/** Tries the passphrase that is piped in, or configured; else asks a person, as often as for any command. */
async function give({ env, stdinIsTerminal }: Context, unlock: (passphrase: Secret) => Promise<void>): Promise<void> {
  const [
    { readConfig },
    { SecretsError, createError },
    { passphraseHandle },
    { secretFromHandle },
    { knownPassphrase },
  ] = await Promise.all([
    import('../../config/config.js'),
    import('../../errors/secrets-error.js'),
    import('../../store/passphrase.js'),
    import('../../secret.js'),
    import('../passphrase.js'),
  ])
  if (!stdinIsTerminal) {
    using piped = await firstLine()
    if (piped.byteLength > 0) return await unlock(piped)
  }
  const source = knownPassphrase((await readConfig(env)).passphraseFile?.value)
  if (source === undefined) {
    throw createError('SE_INTERACTION_REQUIRED', 'there is no passphrase, and no terminal to ask for it on', {
      hint: 'pipe it in: se unlock < FILE; or name it by SE_PASSPHRASE_FILE',
    })
  }
  for (let wrong = 0; ; wrong++) {
    using passphrase = secretFromHandle('passphrase', await passphraseHandle(source, wrong))
    try {
      return await unlock(passphrase)
    } catch (error) {
      if (!SecretsError.is(error) || error.code !== 'SE_WRONG_KEY' || wrong + 1 >= source.tries) throw error
    }
  }
}

async function firstLine(): Promise<Secret> {
  const [{ passphraseIn }, { valueFromStdin }] = await Promise.all([
    import('../../store/passphrase.js'),
    import('../values.js'),
  ])
  using whole = (await valueFromStdin('passphrase', 'verbatim')).secret
  return await whole.use(passphraseIn)
}
