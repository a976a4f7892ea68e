import { createError } from './errors/secrets-error.js'
import { isId } from './id.js'

/** A pattern: an id in which a whole component may be `*` (one component) or `**` (zero or more). */
export class Pattern {
  readonly #components: readonly string[]

  /** @internal */
  constructor(
    /** The pattern as it was written. */
    readonly text: string,
  ) {
    this.#components = text.split('/')
  }

  /** Whether the pattern matches the id. */
  matches(id: string): boolean {
    return isId(id) && meet(this.#components, id.split('/'))
  }

  /** Whether some id is matched by both. */
  overlaps(other: Pattern): boolean {
    return meet(this.#components, other.#components)
  }
}

// Whether some sequence of components is matched by both: quadratic, by the table of all pairs of ends.
function meet(a: readonly string[], b: readonly string[]): boolean {
  const width = b.length + 1
  const table = new Uint8Array((a.length + 1) * width)
  for (let i = a.length; i >= 0; i--) {
    for (let j = b.length; j >= 0; j--) {
      const [x, y] = [a[i], b[j]]
      const at = (k: number, l: number): number => table[k * width + l] ?? 0
      let met = x === undefined && y === undefined ? 1 : 0
      if (x === '**') met ||= at(i + 1, j) || (y === undefined ? 0 : at(i, j + 1))
      if (y === '**') met ||= at(i, j + 1) || (x === undefined ? 0 : at(i + 1, j))
      if (x !== undefined && y !== undefined && x !== '**' && y !== '**' && (x === y || x === '*' || y === '*')) {
        met ||= at(i + 1, j + 1)
      }
      table[i * width + j] = met
    }
  }
  return table[0] === 1
}

/**
 * Takes a text that is a pattern.
 * @throws `InvalidInputError` `SE_INVALID_PATTERN`.
 */
export function parsePattern(text: string): Pattern {
  const valid = text.length <= 4096 && text.split('/').every((part) => part === '*' || part === '**' || isId(part))
  if (valid) return new Pattern(text)
  throw createError('SE_INVALID_PATTERN', `not a pattern: ${JSON.stringify(text.slice(0, 80))}`)
}
