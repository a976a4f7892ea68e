/** Where the command line gets a passphrase from: the configuration, else the terminal. */
import { configuredPassphrase, type Passphrase } from '../store/passphrase.js'

/**
 * The passphrase of a key that is there.
 * @param file - The file that the configuration names.
 */
export function knownPassphrase(file: string | undefined): Passphrase {
  return configuredPassphrase(file) ?? (() => ask('Passphrase: '))
}

/**
 * A new passphrase, typed twice where it is typed.
 * @param file - The file that the configuration names.
 */
export function newPassphrase(file: string | undefined): Passphrase {
  return configuredPassphrase(file) ?? (() => ask('New passphrase: ', 'The same again: '))
}

async function ask(prompt: string, again?: string): Promise<import('../secret.js').Secret> {
  const { valueFromPrompt } = await import('./values.js')
  return valueFromPrompt('passphrase', prompt, again)
}
