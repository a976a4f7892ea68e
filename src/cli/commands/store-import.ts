/** `se store import`: copies secrets between stores; values are never written anywhere else. */
import { STORE_KINDS } from '../../config/settings.js'
import type { Command } from '../command.js'
import { COPY_FLAGS, copySecrets } from '../copy-secrets.js'
import { QUOTE_PATTERN } from '../flags.js'

/** Copies secrets from another store. */
export const command: Command = {
  name: 'store import',
  summary: 'copy secrets from another store into the chosen one',
  usage: ['STORE [PATTERN] [--force] [--dry-run]'],
  description: [
    'Metadata comes along, and the secrets stay where they were. All are read before any is written; when an ID is kept already ' +
      'where they go, nothing is written, unless --force is given. Prints the IDs.',
  ],
  flags: COPY_FLAGS,
  positionals: [
    { name: 'STORE', choices: STORE_KINDS },
    { name: 'PATTERN', optional: true, complete: 'id' },
  ],
  extraHint: QUOTE_PATTERN,
  examples: [
    { note: 'move into the file what the keychain holds', command: 'se store use file && se store import keychain' },
    { note: 'only look', command: "se store import keychain 'postgres/**' --dry-run" },
  ],
  run: (context) => copySecrets(context, 'import'),
}
