import { createError, SecretsError } from '../errors/secrets-error.js'
import type { Pattern } from '../pattern.js'
import { wait } from '../wait.js'
import type { Requester } from './plugin.js'
import type { Request } from './request.js'

/** Says whether somebody may ask for patterns, before any plugin is asked: returns, or throws `SE_ACCESS_DENIED`. */
export type Authorize = (
  patterns: readonly Pattern[],
  context: {
    /** Who asks. */
    readonly requester: Requester
    /** Aborted when nobody waits for the answer any more. */
    readonly signal: AbortSignal
  },
) => Promise<void>

/**
 * Asks whether a request may be made. An answer that does not come in time is none, and nobody is asked then.
 * @throws what `authorize` throws; `SE_TIMEOUT`; `SE_ACCESS_DENIED` for an error that is none of this package.
 */
export async function checkAccess(
  authorize: Authorize,
  request: Request,
  requester: Requester,
  timeoutMs: number,
): Promise<void> {
  const controller = new AbortController()
  const { signal } = controller
  request.onAbandon = (reason) => controller.abort(reason)
  const what = `asking whether ${requester.name} may have ${textOf(request.patterns)}`
  try {
    await wait({ what, begin: async () => authorize(request.patterns, { requester, signal }) }, { timeoutMs })
  } catch (error) {
    controller.abort(error)
    if (SecretsError.is(error)) throw error
    const hint = 'its own error is the cause of this one'
    throw createError('SE_ACCESS_DENIED', `${what} failed`, { hint, cause: error })
  } finally {
    request.onAbandon = undefined
  }
}

function textOf(patterns: readonly Pattern[]): string {
  return patterns.length === 1 ? String(patterns[0]) : `${patterns.length} patterns`
}
