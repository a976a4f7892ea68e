/** The facts that `se store` and `se doctor` show about the chosen store. */
import { chooseStore, describeChoice } from '../config/choose-store.js'
import { readConfig } from '../config/config.js'
import type { StoreKind } from '../config/settings.js'
import { native } from '../native/load.js'
import { unwrap } from '../native/outcome.js'
import { openStore } from '../store/open-store.js'
import type { StoreDescription } from '../store/store.js'
import { wait } from '../wait.js'

/** A store, and why it is the one. */
export interface StoreFacts extends StoreDescription {
  /** The key file of an encrypted file. */
  readonly identity: string | undefined
  /** Why this store was chosen, in words. */
  readonly chosen: string
}

/**
 * Describes the store that would be used. Asks for nothing and unlocks nothing.
 * @param kind - What `--store` says.
 * @throws `SE_STORE_UNAVAILABLE` and what opening throws.
 */
export async function describeStore(kind: string | undefined, env: NodeJS.ProcessEnv): Promise<StoreFacts> {
  const config = await readConfig(env)
  const timeoutMs = config.timeoutMs?.value
  const probe = async (): Promise<string> => unwrap(await native().probeKeychain())
  const choose = () => chooseStore({ kind: kind as StoreKind | undefined }, probe, config)
  const chosen = await wait({ what: 'looking for a store', begin: choose }, { timeoutMs })
  using store = await openStore({ kind: chosen.kind, prompt: false, timeoutMs })
  return {
    ...(await store.describe()),
    identity: chosen.kind === 'file' ? chosen.identity : undefined,
    chosen: describeChoice(chosen),
  }
}
