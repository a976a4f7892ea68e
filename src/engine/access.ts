// Whether somebody may ask, before any plugin is asked.
import { now } from '../clock.js'
import { createError, SecretsError } from '../errors/secrets-error.js'
import type { Pattern } from '../pattern.js'
import type { Round } from './call.js'
import type { Due } from './deadlines.js'
import { LateSignal } from './late-signal.js'
import type { Requester } from './plugin.js'
import type { Request } from './request.js'

/** What is told beside the patterns. */
export interface AccessContext {
  /** Who asks. */
  readonly requester: Requester
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal
}

/**
 * Says whether somebody may ask for patterns: rejects with `SE_ACCESS_DENIED` when not. Where nobody needs to be asked,
 * it returns nothing, and costs no turn.
 */
export type Authorize = (patterns: readonly Pattern[], context: AccessContext) => Promise<void> | undefined

/**
 * Asks whether a request may be made, within the engine's limit. An answer that does not come in time is none.
 * @returns nothing when it may be made at once. Otherwise a promise, which rejects with what `authorize` rejects with;
 *   `SE_TIMEOUT`; `SE_ACCESS_DENIED` for an error that is none of this package; `SE_ABORTED` when the request was abandoned.
 */
export function checkAccess(authorize: Authorize, request: Request, round: Round): Promise<void> | undefined {
  const check = new AccessCheck(round)
  let answer: Promise<void> | undefined
  try {
    answer = authorize(request.patterns, check)
  } catch (error) {
    answer = Promise.reject(error)
  }
  return answer && allowedBy(answer, check, request)
}

async function allowedBy(answer: Promise<void>, check: AccessCheck, request: Request): Promise<void> {
  request.onAbandon = (reason) => check.end(reason)
  try {
    await check.wait(answer)
  } catch (error) {
    if (request.abandonment !== undefined) throw request.abandonment
    if (SecretsError.is(error)) throw error
    throw createError('SE_ACCESS_DENIED', `asking whether ${check.requester.name} may have this failed`, {
      hint: 'its own error is the cause of this one',
      cause: error,
    })
  } finally {
    request.onAbandon = undefined
  }
}

class AccessCheck extends LateSignal implements AccessContext, Due {
  readonly at: number
  readonly requester: Requester
  readonly #round: Round
  #reject: ((reason: unknown) => void) | undefined

  constructor(round: Round) {
    super()
    this.at = now() + round.timeoutMs
    this.requester = round.requester
    this.#round = round
  }

  /** Waits for the answer, until its time is over or the request is abandoned. */
  async wait(answer: Promise<void>): Promise<void> {
    const { deadlines } = this.#round
    deadlines.add(this)
    try {
      await new Promise<void>((resolve, reject) => {
        this.#reject = reject
        answer.then(resolve, reject)
      })
    } finally {
      deadlines.delete(this)
    }
  }

  expire(): void {
    const { timeoutMs } = this.#round
    const what = `asking whether ${this.requester.name} may have this took longer than ${timeoutMs} ms and was abandoned`
    this.end(createError('SE_TIMEOUT', what, { details: { abandoned: 'asking for access', timeoutMs } }))
  }

  /** Waits no longer. */
  end(reason: unknown): void {
    this.abort(reason)
    this.#reject?.(reason)
  }
}
