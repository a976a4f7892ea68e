// Many patterns against one id at a time.
import { isId } from './id.js'
import { native } from './native/load.js'
import type { NativePatternSet } from './native/matcher.js'
import { unwrap } from './native/outcome.js'
import { Pattern } from './pattern.js'

// Up to here asking one pattern after the other is as quick as the native set (bench/RESULTS.md), and loads nothing.
const FEW = 12

/**
 * A set of patterns that tells which of them match an id. Many patterns are compiled natively, so that a look-up costs
 * about the same however many there are.
 */
export class PatternSet {
  /** How many patterns there are. */
  readonly size: number
  readonly #patterns: readonly Pattern[] | undefined
  readonly #native: NativePatternSet | undefined

  private constructor(patterns: readonly Pattern[]) {
    this.size = patterns.length
    if (patterns.length <= FEW) {
      this.#patterns = patterns
    } else {
      const texts = patterns.map(({ text }) => text).join('\n')
      this.#native = unwrap(native().NativePatternSet.compile(texts, patterns.length))
    }
  }

  /**
   * Compiles patterns. The row number of each is its position; a pattern may come twice.
   * @throws {@link InvalidInputError} `SE_INVALID_PATTERN` for the first text that is none; `InternalError`
   * `SE_NATIVE_MISSING`.
   */
  static compile(patterns: Iterable<string | Pattern>): PatternSet {
    return new PatternSet(
      Array.from(patterns, (pattern) => (pattern instanceof Pattern ? pattern : new Pattern(pattern))),
    )
  }

  /** Row numbers of the patterns that match the id, ascending. A text that is not an id is matched by none. */
  matches(id: string): number[] {
    if (this.#native !== undefined) return this.#native.matches(id)
    const rows: number[] = []
    this.#patterns?.forEach((pattern, row) => {
      if (pattern.matches(id)) rows.push(row)
    })
    return rows
  }

  /**
   * Matches many ids in one call.
   * @returns pairs, flat and in ascending order: the position of an id, then the row number of a pattern that matches it.
   */
  matchMany(ids: Iterable<string>): Uint32Array<ArrayBuffer> {
    const list = Array.isArray(ids) ? (ids as string[]) : [...ids]
    if (this.#native === undefined) {
      return Uint32Array.from(list.flatMap((id, position) => this.matches(id).flatMap((row) => [position, row])))
    }
    if (list.length === 0) return new Uint32Array()
    // Ids cross as lines. Only a text with a line end changes their number: it is no id, so an empty line will do for it.
    const pairs =
      unwrap(this.#native.matchMany(list.join('\n'), list.length)) ??
      unwrap(this.#native.matchMany(list.map((id) => (isId(id) ? id : '')).join('\n'), list.length))
    return pairs as Uint32Array<ArrayBuffer>
  }
}
