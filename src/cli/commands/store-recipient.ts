/** `se store recipient`: whose keys open the encrypted file. */
import type { Command } from '../command.js'
import { UsageError } from '../usage-error.js'

/** Lists, adds and removes recipients. */
export const command: Command = {
  name: 'store recipient',
  summary: 'list, add or remove the keys that open the encrypted file',
  usage: ['', 'add RECIPIENT', 'remove RECIPIENT'],
  description: [
    'A recipient is a public key of age (age1…): yours, a colleague’s, that of a backup. Its owner reads the file with the age ' +
      'tool, or reads and writes it with se and SE_IDENTITY; each write is encrypted to all recipients. One that is removed cannot ' +
      'read what is written from then on; what it has read, it keeps. The key in use stays: se store rotate replaces it.',
  ],
  flags: [],
  positionals: [
    { name: 'ACTION', optional: true, choices: ['add', 'remove'] },
    { name: 'RECIPIENT', optional: true },
  ],
  examples: [
    { note: 'who can read it', command: 'se store recipient' },
    { note: 'a backup key', command: 'se store recipient add "$(age-keygen -y backup-key.txt)"' },
  ],
  async run({ positionals, env, stdout }) {
    const [action, recipient] = positionals
    if (action !== undefined && recipient === undefined) throw new UsageError('RECIPIENT is missing', 'such as age1…')
    const { chosenFile, withKey } = await import('../file-key.js')
    const { native } = await import('../../native/load.js')
    const place = await chosenFile(env)
    const { path, identity } = place
    if (recipient === undefined) {
      const recipients = await withKey(place, (known) => native().storeRecipients(path, identity, known))
      stdout.write(recipients.map((line) => `${line}\n`).join(''))
    } else {
      await withKey(place, (known) => native().setStoreRecipient(path, identity, known, recipient, action === 'add'))
    }
    return 0
  },
}
