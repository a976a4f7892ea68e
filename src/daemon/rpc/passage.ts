import { Code, ConnectError, createContextKey, type HandlerContext } from '@connectrpc/connect'
import type { Secret } from '../../secret.js'
import type { Call } from './call.js'

/** One request on its way through Connect, and what came of it beside Connect's own answer. */
export interface Passage {
  readonly call: Call
  /** What GetSecrets found. */
  secrets?: readonly Secret[]
  /** Why it failed, as an error of ours. */
  error?: unknown
}

/** Where Connect's context keeps the passage. */
export const PASSAGE = createContextKey<Passage | undefined>(undefined)

/** Does the work of an RPC. The passage keeps what it throws: Connect would send the message alone. */
export async function within<T>({ values }: HandlerContext, work: (passage: Passage) => Promise<T>): Promise<T> {
  const passage = values.get(PASSAGE) as Passage
  try {
    return await work(passage)
  } catch (error) {
    passage.error = error
    throw new ConnectError('', Code.Internal)
  }
}
