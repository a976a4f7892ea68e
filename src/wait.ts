// Waiting for work that cannot be stopped: when the caller no longer wants it, we stop waiting, and what it still brings
// is thrown away.
import { wrongArgument } from './argument.js'
import { createError, type SecretsError } from './errors/secrets-error.js'

/** How long to wait. */
export interface WaitOptions {
  /**
   * Stops the waiting. Work that has begun finishes by itself, and its result is wiped; until then the process does not
   * end by itself, as with Node's own file operations.
   */
  signal?: AbortSignal | undefined
  /** Milliseconds to wait, prompts included. No limit by default. */
  timeoutMs?: number | undefined
}

/** What is waited for, for messages: `reading a/b`. */
export interface Work<T> {
  /** What is being done, such as `reading team/db/password`. Read when it is needed, that is, for an error. */
  readonly what: string
  /** Begins the work. Not called when the signal was aborted before. */
  begin(): Promise<T>
  /** Wipes a result that came after nobody waited any more. */
  discard?(late: T): void
}

/**
 * Begins the work and waits for it.
 * @throws `CancelledError` `SE_ABORTED` (its cause is the signal's reason) or `SE_TIMEOUT`, whose details name what was
 *   abandoned; `InvalidInputError` `SE_INVALID_OPTION` for a limit that is none; and whatever the work throws.
 */
export async function wait<T>(work: Work<T>, options: WaitOptions = {}): Promise<T> {
  const { signal, timeoutMs } = options
  checkTimeout(timeoutMs)
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw wrongArgument('signal', 'an AbortSignal', signal)
  if (signal?.aborted) throw aborted(work.what, signal, false)
  const result = work.begin()
  if (signal === undefined && timeoutMs === undefined) return result
  return new Promise<T>((resolve, reject) => {
    let waiting = true
    let timer: NodeJS.Timeout | undefined
    const stop = (): void => {
      waiting = false
      clearTimeout(timer)
      unlisten?.()
    }
    const abandon = (error: SecretsError): void => {
      stop()
      reject(error)
    }
    const abort = (): void => abandon(aborted(work.what, signal as AbortSignal, true))
    const unlisten = signal && listen(signal, abort)
    if (timeoutMs !== undefined) timer = setTimeout(() => abandon(timedOut(work.what, timeoutMs)), timeoutMs)
    result.then(
      (value) => {
        if (!waiting) return work.discard?.(value)
        stop()
        resolve(value)
      },
      (error: unknown) => {
        if (!waiting) return
        stop()
        reject(error)
      },
    )
  })
}

const listeners = new WeakMap<AbortSignal, Set<() => void>>()

// One listener for each signal, however many wait on it: Node warns of more than ten. It goes with the last that waits:
// Node keeps a signal of `AbortSignal.any` for as long as somebody listens.
function listen(signal: AbortSignal, listener: () => void): () => void {
  const waiting = listeners.get(signal) ?? new Set()
  if (waiting.size === 0) {
    listeners.set(signal, waiting)
    signal.addEventListener('abort', abortAll)
  }
  waiting.add(listener)
  return () => {
    waiting.delete(listener)
    if (waiting.size > 0) return
    listeners.delete(signal)
    signal.removeEventListener('abort', abortAll)
  }
}

function abortAll(this: AbortSignal): void {
  for (const abort of listeners.get(this) ?? []) abort()
}

/** @throws `InvalidInputError` `SE_INVALID_OPTION` unless the limit is a number of milliseconds that a timer can take. */
export function checkTimeout(timeoutMs: number | undefined): void {
  if (timeoutMs !== undefined && typeof timeoutMs !== 'number') throw wrongArgument('timeoutMs', 'a number', timeoutMs)
  if (timeoutMs === undefined || (timeoutMs > 0 && timeoutMs <= 2 ** 31 - 1)) return
  throw createError('SE_INVALID_OPTION', `timeoutMs must be above 0 and at most ${2 ** 31 - 1}, and is ${timeoutMs}`, {
    details: { option: 'timeoutMs' },
  })
}

function aborted(what: string, signal: AbortSignal, begun: boolean): SecretsError {
  const end = begun ? 'was abandoned by the caller' : 'was not begun: the signal was aborted before'
  return createError('SE_ABORTED', `${what} ${end}`, { cause: signal.reason, details: { abandoned: what, begun } })
}

function timedOut(what: string, timeoutMs: number): SecretsError {
  return createError('SE_TIMEOUT', `${what} took longer than ${timeoutMs} ms and was abandoned`, {
    hint: 'a prompt may be open somewhere; give it more time with `timeoutMs`',
    details: { abandoned: what, timeoutMs },
  })
}
