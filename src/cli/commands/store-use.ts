/** `se store use`: chooses the store, makes the encrypted file where it is not there yet, and remembers the choice. */
import { existsSync } from 'node:fs'
import { filePlace } from '../../config/choose-store.js'
import { readConfig } from '../../config/config.js'
import { STORE_KINDS } from '../../config/settings.js'
import { writeConfig } from '../../config/write-config.js'
import { createError } from '../../errors/secrets-error.js'
import type { Passphrase } from '../../store/passphrase.js'
import { wait } from '../../wait.js'
import type { Command, Context } from '../command.js'
import { newPassphrase } from '../passphrase.js'
import { hasTerminal } from '../terminal.js'
import { UsageError } from '../usage-error.js'

const FILE_FLAGS = ['passphrase', 'key-file', 'path', 'identity'] as const

/** Chooses the store. */
export const command: Command = {
  name: 'store use',
  summary: 'choose the store, and make it where it is not there yet',
  usage: ['keychain', 'file [--passphrase | --key-file] [--path FILE] [--identity FILE]'],
  description: [
    'The choice is written to config.toml; its comments and other keys stay. A file that is there already is taken as it is.',
    'A new file is encrypted to a key of its own. A passphrase for the key is taken from SE_PASSPHRASE or ' +
      'SE_PASSPHRASE_FILE, else asked for on the terminal, wherever standard input comes from. Where there is neither, as in ' +
      'CI, and with --key-file, the key lies in plain text beside the file, where only you may read it (0600), on the same disk.',
  ],
  flags: [
    { name: 'passphrase', excludes: ['key-file'], summary: 'protect the key with a passphrase' },
    { name: 'key-file', summary: 'keep the key without a passphrase, readable by you only' },
    { name: 'path', value: 'FILE', complete: 'file', summary: 'the encrypted file, instead of the usual place' },
    { name: 'identity', value: 'FILE', complete: 'file', summary: 'its key; beside the encrypted file by default' },
  ],
  positionals: [{ name: 'STORE', choices: STORE_KINDS }],
  examples: [
    { note: 'an encrypted file; asks for a passphrase', command: 'se store use file' },
    { note: 'in CI', command: 'se store use file --key-file' },
    { note: 'the keychain of the operating system', command: 'se store use keychain' },
  ],
  run: (context) => (context.positionals[0] === 'file' ? useFile(context) : useKeychain(context)),
}

async function useKeychain({ flags, env, stderr }: Context): Promise<number> {
  const wrong = FILE_FLAGS.find((name) => flags.has(name))
  if (wrong !== undefined) throw new UsageError(`--${wrong} is for the encrypted file`, 'se store use file')
  const [{ native }, { unwrap }] = await Promise.all([
    import('../../native/load.js'),
    import('../../native/outcome.js'),
  ])
  const { file, timeoutMs } = await readConfig(env)
  const begin = async (): Promise<string> => unwrap(await native().probeKeychain())
  const answered = await wait({ what: 'looking for the keychain', begin }, { timeoutMs: timeoutMs?.value })
  await writeConfig(file, { store: 'keychain' })
  stderr.write(`Secrets are kept in ${answered}. Written to ${file}.\n`)
  return 0
}

async function useFile({ flags, env, stderr }: Context): Promise<number> {
  const config = await readConfig(env)
  const asked = { path: flags.value('path'), identity: flags.value('identity') }
  const { path, identity, passphraseFile } = filePlace(asked, config)
  const isNew = !existsSync(path)
  let protection = 'which was there already'
  if (isNew) {
    const wantsPassphrase =
      flags.has('passphrase') ||
      (!flags.has('key-file') && (hasTerminal() || Boolean(env['SE_PASSPHRASE']) || passphraseFile !== undefined))
    const source = wantsPassphrase ? newPassphrase(passphraseFile) : undefined
    const begin = () => makeFile(path, identity, source)
    await wait({ what: `making ${path}`, begin }, { timeoutMs: config.timeoutMs?.value })
    protection = `encrypted to the key ${identity}, ${
      wantsPassphrase ? 'which the passphrase protects' : 'which is on the same disk, readable by you only'
    }`
  } else if (flags.has('passphrase') || flags.has('key-file')) {
    throw createError('SE_EXISTS', `${path} is there already, and keeps its key`, {
      hint: 'choose it with se store use file; change its passphrase with se store passphrase',
      details: { path },
    })
  }
  const isPlaced = asked.path !== undefined || asked.identity !== undefined
  await writeConfig(config.file, { store: 'file', ...(isPlaced ? { storePath: path, identity } : {}) })
  stderr.write(`Secrets are kept in ${path}, ${protection}. Written to ${config.file}.\n`)
  return 0
}

async function makeFile(path: string, identity: string, source: Passphrase | undefined): Promise<void> {
  const { native } = await import('../../native/load.js')
  const { unwrap } = await import('../../native/outcome.js')
  const { newPassphraseHandle } = await import('../../store/passphrase.js')
  const handle = source === undefined ? undefined : await newPassphraseHandle(source)
  try {
    unwrap(await native().createFileStore(path, identity, handle))
  } finally {
    handle?.dispose()
  }
}
