/** `se store passphrase`: gives the key of the encrypted file another passphrase, or none. */
import type { Command } from '../command.js'

/** Changes the passphrase. */
export const command: Command = {
  name: 'store passphrase',
  summary: 'change the passphrase of the encrypted file, or remove it',
  usage: ['[--remove]'],
  description: [
    'The current passphrase comes from SE_PASSPHRASE, SE_PASSPHRASE_FILE or the terminal, and is checked first. The new one is typed ' +
      'twice on a terminal, else it is the first line of standard input. Whoever has an old copy of the key file can still open it with the old ' +
      'passphrase: `se store rotate` makes a new key.',
  ],
  flags: [{ name: 'remove', summary: 'keep the key without a passphrase, readable by you only' }],
  positionals: [],
  examples: [
    { note: 'type it', command: 'se store passphrase' },
    { note: 'from a program', command: 'pwgen 40 1 | SE_PASSPHRASE_FILE=old.txt se store passphrase' },
  ],
  async run({ flags, env, stdinIsTerminal, stderr }) {
    const { chosenFile, currentPassphrase } = await import('../file-key.js')
    const [{ native }, { unwrap }, { newPassphraseHandle, passphraseIn }, values, { wait }] = await Promise.all([
      import('../../native/load.js'),
      import('../../native/outcome.js'),
      import('../../store/passphrase.js'),
      import('../values.js'),
      import('../../wait.js'),
    ])
    const place = await chosenFile(env)
    const { path, identity, timeoutMs } = place
    const ask = async () => {
      if (stdinIsTerminal) return values.valueFromPrompt('passphrase', 'New passphrase: ', 'The same again: ')
      using whole = (await values.valueFromStdin('passphrase', 'verbatim')).secret
      return await whole.use(passphraseIn)
    }
    const known = await currentPassphrase(place)
    let next: import('../../native/secret.js').SecretHandle | undefined
    try {
      if (!flags.has('remove')) next = await newPassphraseHandle({ ask })
      const begin = async () => unwrap(await native().changeStorePassphrase(path, identity, known, next))
      await wait({ what: `opening ${path}`, begin }, { timeoutMs })
    } finally {
      known?.dispose()
      next?.dispose()
    }
    const protection = next === undefined ? 'has no passphrase, and is readable by you only' : 'has a new passphrase'
    stderr.write(`The key ${identity} ${protection}.\n`)
    return 0
  },
}
