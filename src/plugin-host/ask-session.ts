/** Asks a plugin over its session for several patterns. */
import type { Pattern } from '../pattern.js'
import { PatternSet } from '../pattern-set.js'
import type { Secret } from '../secret.js'
import type { PluginSession } from '../session/plugin-session.js'

/** How many questions a plugin has at once. */
const AT_ONCE = 16

/** How to ask. */
export interface AskOptions {
  /** What the plugin is asked for at most, where that is less than it registered. */
  readonly limit: Pattern | undefined
  readonly signal: AbortSignal
  readonly timeoutMs: number
  /** Is told how many ids the plugin answered with outside of what it registered, and within the limit. */
  onForeign?(count: number): void
}

/**
 * Asks for each pattern that overlaps what the plugin registered. A secret that several patterns match comes once.
 * @throws the first failure; what others brought is wiped.
 */
export async function askSession(
  session: PluginSession,
  patterns: readonly Pattern[],
  { limit, signal, timeoutMs, onForeign }: AskOptions,
): Promise<Secret[]> {
  const own = session.pattern
  if (own === undefined) return []
  const questions = new Map<string, Pattern>()
  for (const pattern of patterns) {
    if (!own.overlaps(pattern)) continue
    const question = narrower(narrower(pattern, limit), own)
    questions.set(question.text, question)
  }
  const asked = [...questions.values()]
  const answers: Secret[][] = asked.map(() => [])
  const failures: unknown[] = []
  let next = 0
  const askNext = async (): Promise<void> => {
    for (let turn = next++; turn < asked.length && failures.length === 0; turn = next++) {
      try {
        answers[turn] = await session.getSecrets((asked[turn] as Pattern).text, { signal, timeoutMs })
      } catch (error) {
        failures.push(error)
      }
    }
  }
  await Promise.all(Array.from({ length: Math.min(AT_ONCE, asked.length) }, askNext))
  if (failures.length > 0) {
    for (const secret of answers.flat()) secret.dispose()
    throw failures[0]
  }
  const all = PatternSet.compile(asked)
  const isEarlier = (id: string, turn: number): boolean => turn > 0 && (all.matches(id)[0] ?? turn) < turn
  let foreign = 0
  const taken = answers.flatMap((secrets, turn) =>
    secrets.filter((secret) => {
      // The engine knows the limit only. What is outside of that, it drops itself, and tells.
      const isForeign = limit?.matches(secret.id) === true && !own.matches(secret.id)
      if (isForeign) foreign++
      if (!isForeign && !isEarlier(secret.id, turn)) return true
      secret.dispose()
      return false
    }),
  )
  if (foreign > 0) onForeign?.(foreign)
  return taken
}

/** The one of two patterns that the other includes; the first where neither does. */
function narrower(pattern: Pattern, other: Pattern | undefined): Pattern {
  return other !== undefined && pattern.includes(other) ? other : pattern
}
