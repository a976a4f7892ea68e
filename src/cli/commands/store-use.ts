/** `se store use`: chooses the store, makes the encrypted file where it is not there yet, and remembers the choice. */
import { existsSync } from 'node:fs'
import { filePlace } from '../../config/choose-store.js'
import { type Config, readConfig } from '../../config/config.js'
import { STORE_KINDS, type StoreKind } from '../../config/settings.js'
import { writeConfig } from '../../config/write-config.js'
import { createError, SecretsError } from '../../errors/secrets-error.js'
import type { PassphraseAsker } from '../../store/passphrase.js'
import { wait } from '../../wait.js'
import type { Command, Context, Output } from '../command.js'
import { newPassphrase } from '../passphrase.js'
import { printHint } from '../report.js'
import { UsageError } from '../usage-error.js'

const FILE_FLAGS = ['passphrase', 'key-file', 'path', 'identity'] as const

/** Chooses the store. */
export const command: Command = {
  name: 'store use',
  summary: 'choose the store, and make it where it is not there yet',
  usage: ['keychain', 'file [--passphrase | --key-file] [--path FILE] [--identity FILE]'],
  description: [
    'The choice is written to config.toml; its comments and other keys stay. A file that is there already is taken as it ' +
      'is, and refused where --passphrase or --key-file says otherwise. ' +
      'Secrets of the store that was used before stay where they are: se store import copies them.',
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
  const config = await readConfig(env)
  await tryKeychain(config)
  const answered = await probeKeychain(config)
  await writeConfig(config.file, { store: 'keychain' })
  stderr.write(`Secrets are kept in ${answered}. Written to ${config.file}.\n`)
  const { value: path } = config.storePath
  if (config.store?.value === 'file' && existsSync(path)) tellWhatStays(stderr, path, 'file')
  return 0
}

async function probeKeychain({ timeoutMs }: Config): Promise<string> {
  const [{ native }, { unwrap }] = await Promise.all([
    import('../../native/load.js'),
    import('../../native/outcome.js'),
  ])
  const begin = async (): Promise<string> => unwrap(await native().probeKeychain())
  return wait({ what: 'looking for the keychain', begin }, { timeoutMs: timeoutMs?.value })
}

/** Throws where no keychain answers, or one that keeps nothing. One that is locked does keep secrets. */
async function tryKeychain({ timeoutMs }: Config): Promise<void> {
  const { openStore } = await import('../../store/open-store.js')
  using store = await openStore({ kind: 'keychain', prompt: false, timeoutMs: timeoutMs?.value })
  try {
    await store.list('**', { times: false })
  } catch (error) {
    const isLocked = SecretsError.is(error) && ['SE_LOCKED', 'SE_INTERACTION_REQUIRED'].includes(error.code)
    if (!isLocked) throw error
  }
}

/** Says that another kind of store than before holds nothing of what was kept until now. */
function tellWhatStays(stderr: Output, where: string, kind: StoreKind): void {
  printHint(
    stderr,
    `what was kept in ${where} before stays there, and se does not find it here: se store import ${kind} copies it`,
  )
}

async function useFile({ flags, env, stderr }: Context): Promise<number> {
  const config = await readConfig(env)
  const asked = { path: flags.value('path'), identity: flags.value('identity') }
  const { path, identity, passphraseFile } = filePlace(asked, config)
  const isNew = !existsSync(path)
  let protection = 'which was there already'
  if (isNew) {
    const source = flags.has('key-file') ? undefined : newPassphrase(passphraseFile)
    if (flags.has('passphrase') && source === undefined) {
      throw createError('SE_INTERACTION_REQUIRED', `the key in ${identity} needs a passphrase`, {
        hint: 'give it on a terminal, by SE_PASSPHRASE_FILE or by SE_PASSPHRASE',
        details: { identity },
      })
    }
    const begin = () => makeFile(path, identity, source)
    await wait({ what: `making ${path}`, begin }, { timeoutMs: config.timeoutMs?.value })
    protection = `encrypted to the key ${identity}, ${
      source !== undefined ? 'which the passphrase protects' : 'which is on the same disk, readable by you only'
    }`
  } else if (flags.has('passphrase') || flags.has('key-file')) {
    await refuseOtherKey({ path, identity }, flags.has('passphrase'), config)
  }
  const isPlaced = asked.path !== undefined || asked.identity !== undefined
  await writeConfig(config.file, { store: 'file', ...(isPlaced ? { storePath: path, identity } : {}) })
  stderr.write(`Secrets are kept in ${path}, ${protection}. Written to ${config.file}.\n`)
  const variables = isPlaced ? [] : ['SE_STORE_PATH', 'SE_IDENTITY'].filter((name) => (env[name] ?? '') !== '')
  if (variables.length > 0) {
    printHint(stderr, `${variables.join(' and ')} say where, which is not written: --path FILE writes it`)
  }
  const before =
    config.store?.value ??
    (await probeKeychain(config)
      .then(() => 'keychain')
      .catch(() => undefined))
  if (before === 'keychain') tellWhatStays(stderr, 'the keychain', 'keychain')
  return 0
}

/** Throws when the key that is there is not kept as it is wanted: with a passphrase or without. */
async function refuseOtherKey(
  { path, identity }: { path: string; identity: string },
  withPassphrase: boolean,
  { timeoutMs }: Config,
): Promise<void> {
  const { openStore } = await import('../../store/open-store.js')
  using store = await openStore({ kind: 'file', path, identity, timeoutMs: timeoutMs?.value })
  const { locked } = await store.describe()
  if (locked === withPassphrase) return
  const [has, hint] = withPassphrase
    ? ['has no passphrase', 'give it one: se store passphrase']
    : ['has a passphrase', 'take it away: se store passphrase --remove; or keep it: se store use file']
  throw createError('SE_EXISTS', `${path} is there already, and its key ${identity} ${has}`, {
    hint,
    details: { path, identity },
  })
}

async function makeFile(path: string, identity: string, source: PassphraseAsker | undefined): Promise<void> {
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
