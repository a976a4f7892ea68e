/** Where the command line gets a passphrase from: the configuration, else the terminal. */
import { configuredPassphrase, type PassphraseAsker, type PassphraseSource } from '../store/passphrase.js'
import { hasTerminal } from './terminal.js'

/** How often a person may type it. */
const TRIES = 3

/**
 * The passphrase of a key that is there. Nothing when none is configured and there is no terminal.
 * @param file - The file that the configuration names.
 * @param question - What is asked at the terminal.
 */
export function knownPassphrase(file: string | undefined, question = 'Passphrase: '): PassphraseSource | undefined {
  return (
    configuredPassphrase(file) ??
    typed({
      ask: (wrong) => ask(wrong === 0 ? question : `That is not it. ${question}`),
      tries: TRIES,
      hint: 'it is the one that was typed when the key was made, or at the last se store passphrase',
    })
  )
}

/**
 * A new passphrase, typed twice where it is typed. Nothing when none is configured and there is no terminal.
 * @param file - The file that the configuration names.
 */
export function newPassphrase(file: string | undefined): PassphraseAsker | undefined {
  return configuredPassphrase(file) ?? typed({ ask: () => ask('New passphrase: ', 'The same again: ') })
}

function typed<T extends PassphraseAsker>(source: T): T | undefined {
  return hasTerminal() ? source : undefined
}

async function ask(prompt: string, again?: string): Promise<import('../secret.js').Secret> {
  const { valueFromPrompt } = await import('./values.js')
  return valueFromPrompt('passphrase', prompt, again)
}
