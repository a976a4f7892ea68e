// Many ids against one pattern at a time.
import { createError } from './errors/secrets-error.js'
import { invalidText } from './grammar.js'
import { isId } from './id.js'
import { native } from './native/load.js'
import type { NativeIdIndex } from './native/matcher.js'
import { unwrap } from './native/outcome.js'
import { Pattern } from './pattern.js'

// Ids cross in portions of so many: large enough that a call costs nothing beside it, small enough that the text that
// carries them does not double the memory.
const PORTION = 1 << 16

/**
 * An index of many ids, held natively, that counts and lists those that a pattern matches without looking at each.
 *
 * Answers are in the order of the tree: an id before those below it, those before the next sibling, siblings in the order
 * of their characters, equal ids by row number. (So it is as if `/` sorted before every other character.)
 */
export class IdIndex {
  readonly #native: NativeIdIndex

  private constructor(index: NativeIdIndex) {
    this.#native = index
  }

  /**
   * Indexes ids. The row number of each is its position; an id that comes twice has two rows. Takes about a microsecond
   * for each id, during which nothing else runs.
   * @throws {@link InvalidInputError} `SE_INVALID_ID` for the first text that is none, `details.row` being its position,
   * and `SE_VALUE_TOO_LARGE` for more than 2^32 components in all; `InternalError` `SE_NATIVE_MISSING`.
   */
  static from(ids: Iterable<string>): IdIndex {
    const builder = new (native().NativeIdIndexBuilder)()
    let portion: string[] = []
    let row = 0
    const add = (): void => {
      if (portion.length === 0) return
      const texts = portion.every((id) => typeof id === 'string') ? portion.join('\n') : ''
      if (!unwrap(builder.add(texts, portion.length))) throw refused(portion, row)
      row += portion.length
      portion = []
    }
    for (const id of ids) {
      portion.push(id)
      if (portion.length === PORTION) add()
    }
    add()
    return new IdIndex(unwrap(builder.finish()))
  }

  /** How many ids there are. */
  get size(): number {
    return this.#native.size
  }

  /** Bytes of native memory that the index holds. */
  get byteLength(): number {
    return this.#native.bytes
  }

  /**
   * How many ids the pattern matches.
   * @throws {@link InvalidInputError} `SE_INVALID_PATTERN`.
   */
  count(pattern: string | Pattern): number {
    return unwrap(this.#native.count(textOf(pattern)))
  }

  /**
   * Row numbers of the ids that the pattern matches, in the order of the tree.
   * @throws {@link InvalidInputError} `SE_INVALID_PATTERN`.
   */
  rows(pattern: string | Pattern): Uint32Array<ArrayBuffer> {
    return unwrap(this.#native.rows(textOf(pattern)))
  }

  /**
   * The ids that the pattern matches, in the order of the tree. Making strings takes longer than finding them: where row
   * numbers will do, {@link IdIndex.rows} is quicker.
   * @throws {@link InvalidInputError} `SE_INVALID_PATTERN`.
   */
  list(pattern: string | Pattern): string[] {
    return unwrap(this.#native.list(textOf(pattern))).flatMap((text) => text.split('\n'))
  }
}

function textOf(pattern: string | Pattern): string {
  return (pattern instanceof Pattern ? pattern : new Pattern(pattern)).text
}

function refused(portion: readonly unknown[], row: number): Error {
  const at = portion.findIndex((id) => !isId(id))
  if (at < 0) {
    return createError('SE_VALUE_TOO_LARGE', 'an index holds at most 2^32 components', { details: { row } })
  }
  const { code, message, hint, details } = invalidText('id', portion[at])
  return createError(code, `${message}, in row ${row + at}`, { hint, details: { ...details, row: row + at } })
}
