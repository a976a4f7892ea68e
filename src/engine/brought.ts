import type { SecretsError } from '../errors/secrets-error.js'
import { copyOf, type Secret } from '../secret.js'
import { inPortions } from './portions.js'

/** What a plugin brought for one pattern. */
export interface Brought {
  /** Its secrets, in the order of their ids (by bytes). */
  readonly secrets: readonly Secret[]
  /** Ids that it answered with and that were not asked of it. */
  readonly dropped: readonly string[]
  /** Why it failed. */
  readonly failure: SecretsError | undefined
  /** How long it took. */
  readonly latencyMs: number
  /** Whether it comes from an earlier answer. */
  readonly cached: boolean
}

/** What a plugin brought when it failed. */
export function failed(failure: SecretsError, latencyMs: number): Brought {
  return { secrets: [], dropped: [], failure, latencyMs, cached: false }
}

/**
 * The same for somebody else, who disposes it; a secret that several share is one copy.
 * @throws when there is no memory for the values; nothing is left then.
 */
export async function copiesOf(all: readonly Brought[]): Promise<Brought[]> {
  const copies = new Map<Secret, Secret>()
  const copied: Brought[] = []
  try {
    for (const brought of all) {
      const secrets: Secret[] = []
      await inPortions(brought.secrets, (secret) => {
        const copy = copies.get(secret) ?? copyOf(secret)
        copies.set(secret, copy)
        secrets.push(copy)
      })
      copied.push({ ...brought, secrets })
    }
  } catch (error) {
    wipe(copies.values())
    throw error
  }
  return copied
}

/** Disposes secrets. */
export function wipe(secrets: Iterable<Secret>): void {
  for (const secret of secrets) secret.dispose()
}
