import { SecretsError } from '../errors/secrets-error.js'

/** What came of one check. */
export interface CheckResult {
  /** What a plugin does that keeps the rule. */
  readonly title: string
  /** `skipped`: it could not be asked of this plugin. */
  readonly status: 'passed' | 'failed' | 'skipped'
  /** Why it failed or was skipped. Never a value. */
  readonly reason: string | undefined
}

/** All checks of a plugin. */
export interface PluginReport {
  /** Whether none failed. */
  readonly ok: boolean
  /** What came of each check, in their order. */
  readonly results: readonly CheckResult[]
}

/** Thrown by a check that this plugin cannot be asked. */
class Skipped extends Error {}

/** Thrown by a check that failed. */
class Failed extends Error {}

/** Ends a check: it cannot be asked. */
export function skip(reason: string): never {
  throw new Skipped(reason)
}

/** Ends a check unless something holds. */
export function must(holds: boolean, reason: string): asserts holds {
  if (!holds) throw new Failed(reason)
}

/** Runs checks, one after the other, and gathers what came of them. */
export class Checks {
  readonly results: CheckResult[] = []
  readonly #onResult: (result: CheckResult) => void

  constructor(onResult: (result: CheckResult) => void) {
    this.#onResult = onResult
  }

  /** Runs a check: it fails by throwing. Answers whether it passed. */
  async run(title: string, check: () => Promise<void>): Promise<boolean> {
    let result: CheckResult = { title, status: 'passed', reason: undefined }
    try {
      await check()
    } catch (error) {
      result = { title, status: error instanceof Skipped ? 'skipped' : 'failed', reason: reasonOf(error) }
    }
    this.results.push(result)
    this.#onResult(result)
    return result.status === 'passed'
  }

  /** The report. */
  get report(): PluginReport {
    return { ok: this.results.every(({ status }) => status !== 'failed'), results: this.results }
  }
}

/** Errors of ours hold no value; of others nothing but their name is shown. */
function reasonOf(error: unknown): string {
  if (error instanceof Skipped || error instanceof Failed) return error.message
  if (SecretsError.is(error)) return `${error.message} (${error.code})`
  return `a fault of the kit itself (${error instanceof Error ? error.name : 'unknown'})`
}
