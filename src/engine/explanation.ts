import { SecretsError } from '../errors/secrets-error.js'
import { SCHEME } from '../grammar.js'
import type { ExplainedSecret, ExplainOptions, Explanation, PluginOutcome } from './engine.js'
import { pick } from './pick.js'
import { failuresOf } from './secrets-of.js'

/** What is known for one pattern; its secrets may come without values. */
export interface ExplainedResult {
  readonly pattern: string
  readonly secrets: readonly {
    readonly id: string
    readonly plugin: string | undefined
    readonly createdAt: Date | undefined
  }[]
  readonly outcomes: readonly PluginOutcome[]
}

/** Tells of a result what a caller would get. */
export function explanationOf(result: ExplainedResult, { policy, strict }: ExplainOptions): Explanation {
  const { pattern, outcomes } = result
  const secrets = result.secrets.map(({ id, plugin, createdAt }): ExplainedSecret => {
    return { id, plugin: plugin as string, createdAt }
  })
  const [failure] = strict === true ? failuresOf(outcomes) : []
  const picked = failure ?? pick(`${SCHEME}${pattern}`, { secrets, outcomes }, policy)
  const [chosen, problem] = SecretsError.is(picked) ? [undefined, picked] : [picked, undefined]
  return { pattern, outcomes, secrets, chosen, problem }
}
