/** `se store export`: copies secrets between stores; values are never written anywhere else. */
import { STORE_KINDS } from '../../config/settings.js'
import type { Command } from '../command.js'
import { COPY_FLAGS, copySecrets } from '../copy-secrets.js'
import { QUOTE_PATTERN } from '../flags.js'

/** Copies secrets to another store. */
export const command: Command = {
  name: 'store export',
  summary: 'copy secrets from the chosen store into another one',
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
    { note: 'into the keychain', command: 'se store export keychain' },
    {
      note: 'a file of its own for CI, which only ci.toml chooses',
      command: 'SE_CONFIG=ci.toml se store use file --key-file --path ci.age --identity ci-key.age',
    },
    { note: 'a part into that file', command: "se store export file 'ci/**' --path ci.age --identity ci-key.age" },
  ],
  run: (context) => copySecrets(context, 'export'),
}
