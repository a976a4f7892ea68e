/** The id that was meant, where a store has nothing under the one that was typed. */
import { createError, SecretsError } from '../errors/secrets-error.js'
import { nearest } from '../nearest.js'
import type { Store } from '../store/store.js'

/** How long it may take to find. */
const TIMEOUT_MS = 500

/** The nearest id that the store holds. Nothing when none is near, or when the store cannot be listed at once. */
export async function nearestId(store: Store, id: string): Promise<string | undefined> {
  const infos = await store.list('**', { times: false, timeoutMs: TIMEOUT_MS }).catch(() => [])
  return nearest(
    id,
    infos.map((info) => info.id),
  )
}

/**
 * Does something with the secret of an id.
 * @throws what `work` throws; `SE_NOT_FOUND` with the nearest id as its hint.
 */
export async function withNearestId<T>(store: Store, id: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!SecretsError.is(error) || error.code !== 'SE_NOT_FOUND') throw error
    const meant = await nearestId(store, id)
    const hint = meant === undefined ? 'se ls lists what is kept' : `did you mean ${meant}?`
    throw createError(error.code, error.message, { hint, details: { ...error.details }, cause: error.cause })
  }
}
