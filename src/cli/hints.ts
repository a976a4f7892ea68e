/** What to do next, in words of the command line: a library's hint names its options. */
import type { SecretsError } from '../errors/secrets-error.js'

/** What the library's hints say, and what stands for it here. */
const WORDS = [
  ['`timeoutMs`', 'SE_TIMEOUT_MS, or timeout_ms in config.toml'],
  ['`overwrite: true`', '--force'],
  ['`override: true`', '--override'],
  ['`create: true`', '`se store use file`'],
  ['with the option `passphrase`', 'on a terminal'],
  ['to ask another plugin alone, name it: option `plugin`', 'another store answers in its place: se store use'],
] as const

/** The hint of an error for those who typed a command. */
export function hintOf({ code, hint, details }: SecretsError): string | undefined {
  switch (code) {
    case 'SE_NOT_UNIQUE':
      return notUnique(details['answers'])
    case 'SE_AMBIGUOUS':
      return `se set ${details['id']} --force replaces all of them; the keyring’s own program removes single ones`
    default:
      return WORDS.reduce((text, [library, here]) => text?.replace(library, here), hint)
  }
}

/** Several secrets: one of them can be named. Several plugins with the same: one of them can be kept from answering. */
function notUnique(answers: unknown): string {
  const [first, ...others] = answers as readonly { readonly id: string; readonly plugin: string }[]
  const other = others.find(({ id }) => id === first?.id)
  if (other === undefined || others.some(({ id }) => id !== first?.id)) return 'write the ID of one'
  return `several plugins have it: se plugins disable ${other.plugin} keeps one of them from answering`
}
