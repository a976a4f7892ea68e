/** Opens the engine that a command asks: the built-in plugin of the chosen store, with questions at the terminal. */
import { readConfig } from '../config/config.js'
import { createEngine } from '../engine/create-engine.js'
import type { Engine } from '../engine/engine.js'
import { keychain } from '../plugins/keychain.js'
import type { Context } from './command.js'
import { knownPassphrase } from './passphrase.js'

/** An engine, and how long its requests may take. */
export async function openCliEngine({
  env,
}: Pick<Context, 'env'>): Promise<{ engine: Engine; timeoutMs: number | undefined }> {
  const config = await readConfig(env)
  const passphrase = knownPassphrase(config.passphraseFile?.value)
  const timeoutMs = config.timeoutMs?.value
  return { engine: await createEngine({ plugins: [keychain({ passphrase, timeoutMs })] }), timeoutMs }
}
