/** What to do next, in words of the command line: a library's hint names its options. */
import type { SecretsError } from '../errors/secrets-error.js'

/** What the library's hints say, and what stands for it here. */
const WORDS = [
  ['`timeoutMs`', 'SE_TIMEOUT_MS, or timeout_ms in config.toml'],
  ['`overwrite: true`', '--force'],
  ['`create: true`', '`se store use file`'],
  ['with the option `passphrase`', 'on a terminal'],
] as const

/** The hint of an error for those who typed a command. */
export function hintOf({ code, hint, details }: SecretsError): string | undefined {
  switch (code) {
    case 'SE_NOT_UNIQUE':
      return 'write the ID of one'
    case 'SE_AMBIGUOUS':
      return `se set ${details['id']} --force replaces all of them; the keyring’s own program removes single ones`
    default:
      return WORDS.reduce((text, [library, here]) => text?.replace(library, here), hint)
  }
}
