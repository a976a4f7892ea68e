/** Finds the word that was meant. */

/** The number of letters added, removed, changed or swapped with a neighbour that turn one word into the other. */
export function editDistance(from: string, to: string): number {
  let older: number[] = []
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column)
  for (let row = 1; row <= from.length; row++) {
    const current = [row]
    for (let column = 1; column <= to.length; column++) {
      const change = from[row - 1] === to[column - 1] ? 0 : 1
      let best = Math.min(
        (previous[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (previous[column - 1] ?? 0) + change,
      )
      if (row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]) {
        best = Math.min(best, (older[column - 2] ?? 0) + 1)
      }
      current.push(best)
    }
    older = previous
    previous = current
  }
  return previous[to.length] ?? 0
}

/**
 * The known word that is nearest to what was typed: the only one that it begins, else the least edits, at most a third
 * of the longer word (and always one). Nothing when none is near.
 */
export function nearest(typed: string, known: readonly string[]): string | undefined {
  const word = typed.toLowerCase()
  if (word.length > 64) return undefined
  const begun = known.filter((candidate) => word.length > 1 && candidate.startsWith(word))
  if (begun.length === 1) return begun[0]
  let best: string | undefined
  let bestDistance = Number.POSITIVE_INFINITY
  for (const candidate of known) {
    const distance = editDistance(word, candidate)
    const allowed = Math.max(1, Math.floor(Math.max(word.length, candidate.length) / 3))
    if (distance <= allowed && distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return best
}

/** Whether a word looks like a name that somebody mistyped, rather than a value in the wrong place. */
export function looksLikeName(typed: string): boolean {
  return /^[a-z][a-z-]{0,23}$/i.test(typed)
}
