/** Opens the store that a command acts on, asking for its passphrase at the terminal when nothing else knows it. */
import { readConfig } from '../config/config.js'
import type { StoreKind } from '../config/settings.js'
import { openStore } from '../store/open-store.js'
import type { Store } from '../store/store.js'
import type { Context } from './command.js'
import { knownPassphrase } from './passphrase.js'

/**
 * Opens the store of `--store`, else the chosen one.
 * @throws what `openStore` does: `SE_STORE_UNAVAILABLE` when none is chosen and no keychain answers.
 */
export async function openChosenStore({ flags, env }: Context): Promise<Store> {
  const { passphraseFile, timeoutMs } = await readConfig(env)
  return openStore({
    kind: (flags.value('store') as StoreKind | undefined) ?? 'auto',
    passphrase: knownPassphrase(passphraseFile?.value),
    timeoutMs: timeoutMs?.value,
  })
}
