/** `se store`: which store is chosen, where it is and what protects it. Asks for nothing and unlocks nothing. */
import type { Command } from '../command.js'
import { jsonFlag, STORE_FLAG } from '../flags.js'

/** Shows the chosen store, and holds the commands that change it. */
export const command: Command = {
  name: 'store',
  summary: 'show which store is used, choose it, move secrets between stores',
  usage: ['[--json]', 'COMMAND'],
  description: [
    'The store is the one of --store, else of SE_STORE, else the one that `se store use` chose, else the keychain of the ' +
      'operating system where it answers. What was chosen is never overridden, and nothing is moved to a weaker place by itself.',
  ],
  flags: [
    jsonFlag('kind, backend, location, identity, encryption, survivesReboot, locked, maxValueBytes, chosen'),
    STORE_FLAG,
  ],
  positionals: [],
  commands: [
    {
      name: 'use',
      summary: 'choose the store, and make it where it is not there yet',
      load: async () => (await import('./store-use.js')).command,
    },
    {
      name: 'import',
      summary: 'copy secrets from another store into the chosen one',
      load: async () => (await import('./store-import.js')).command,
    },
    {
      name: 'export',
      summary: 'copy secrets from the chosen store into another one',
      load: async () => (await import('./store-export.js')).command,
    },
    {
      name: 'passphrase',
      summary: 'change the passphrase of the encrypted file, or remove it',
      load: async () => (await import('./store-passphrase.js')).command,
    },
    {
      name: 'rotate',
      summary: 'encrypt the file to a new key',
      load: async () => (await import('./store-rotate.js')).command,
    },
    {
      name: 'recipient',
      summary: 'list, add or remove the keys that open the encrypted file',
      load: async () => (await import('./store-recipient.js')).command,
    },
  ],
  examples: [
    { note: 'which store, where, and what protects it', command: 'se store' },
    { note: 'without a keyring: an encrypted file', command: 'se store use file' },
  ],
  async run(context) {
    const { flags, stdout, env } = context
    const { describeStore } = await import('../describe-store.js')
    const facts = await describeStore(flags.value('store'), env)
    if (flags.has('json')) {
      stdout.write(`${JSON.stringify(facts)}\n`)
      return 0
    }
    const locked = facts.locked === undefined ? 'not known without asking' : facts.locked ? 'yes' : 'no'
    const { columns } = await import('../columns.js')
    stdout.write(
      columns([
        ['Store:', `${facts.kind} (${facts.backend})`],
        ['Location:', facts.location],
        ...(facts.identity === undefined ? [] : [['Key:', facts.identity]]),
        ['Protection:', facts.encryption],
        ['Locked:', locked],
        ['Kept over a reboot:', facts.survivesReboot ? 'yes' : 'no'],
        ['Chosen:', facts.chosen],
      ]),
    )
    return 0
  },
}
