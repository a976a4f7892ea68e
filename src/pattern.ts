// One pattern, in plain JavaScript: a call into the native part would cost more than the answer. The native part answers
// alike (crates/pattern-matcher), which one file of vectors proves.
import { wrongArgument } from './argument.js'
import { firstWrong, invalidText } from './grammar.js'
import { isId } from './id.js'

const ONE = '*'
const REST = '**'
const SLASH = 0x2f

/**
 * A pattern: an id in which a whole component may be `*` (exactly one component) or `**` (zero or more).
 *
 * A pattern stands for the set of all ids that it matches, and {@link Pattern.includes} and {@link Pattern.overlaps} are
 * exact over these sets, whatever the length of the ids.
 */
export class Pattern {
  /** The pattern as it was written. */
  readonly text: string
  /**
   * Its components, each run of wildcards turned around to say how many components it wants at least: `**` + `*` becomes
   * `*` + `**`. So a run has at most one `**`, at its end; and `**` alone becomes `*` + `**`, since no id is empty.
   */
  #tokens: readonly string[] | undefined
  /** The tokens for matching: neighbouring components are one text. */
  readonly #steps: readonly string[]
  /** The steps with a slash before each. */
  readonly #below: readonly string[]
  /** What an id must end with, if the pattern says. */
  readonly #end: string

  /**
   * @param text - Such as `team/db/*` or `docker/auth/**`, at most 4,096 characters.
   * @throws {@link InvalidInputError} `SE_INVALID_PATTERN`, which says what is wrong at which offset; `details.at` is that
   * offset.
   */
  constructor(text: string) {
    if (typeof text !== 'string' || firstWrong('pattern', text) >= 0) throw invalidText('pattern', text)
    this.text = text
    if (!text.includes(ONE)) {
      // An id: most patterns are, and need no more than that.
      this.#steps = [text]
      this.#below = []
      this.#end = text
      return
    }
    this.#tokens = normalise(text)
    this.#steps = joined(this.#tokens)
    this.#below = this.#steps.map((step) => `/${step}`)
    const last = this.#steps.at(-1) as string
    this.#end = isWildcard(last) ? '' : last
  }

  /** Whether the pattern matches the id. A text that is not an id is matched by no pattern. */
  matches(id: string): boolean {
    if (this.#steps.length === 1 && this.#end !== '') return id === this.text
    // What the pattern spells out is valid already, so only a hit by a wildcard needs to be checked.
    return id.endsWith(this.#end) && this.#follows(id) && isId(id)
  }

  /** Whether every id that `other` matches is matched by this pattern too. */
  includes(other: Pattern): boolean {
    checkPattern(other)
    return walk(shape(this.#components), other.#components, covers)
  }

  /** Whether some id is matched by both patterns. */
  overlaps(other: Pattern): boolean {
    checkPattern(other)
    if (other.#steps.length === 1 && other.#end !== '') return this.matches(other.text)
    const mine = this.#components
    const theirs = other.#components
    if (!theirs.includes(REST)) return walk(shape(mine), theirs, agree)
    if (!mine.includes(REST)) return walk(shape(theirs), mine, agree)
    // Both can stretch: write what one wants in the middle while the other is in its gap. Only the parts that begin and
    // end the id can contradict each other.
    for (let n = 0; mine[n] !== REST && theirs[n] !== REST; n++) {
      if (!agree(mine[n] as string, theirs[n] as string)) return false
    }
    for (let n = -1; mine.at(n) !== REST && theirs.at(n) !== REST; n--) {
      if (!agree(mine.at(n) as string, theirs.at(n) as string)) return false
    }
    return true
  }

  get #components(): readonly string[] {
    this.#tokens ??= normalise(this.text)
    return this.#tokens
  }

  /** The pattern as it was written. */
  toString(): string {
    return this.text
  }

  /** The pattern as it was written. */
  toJSON(): string {
    return this.text
  }

  // Goes through the id from left to right. On a mismatch only the last `**` takes one component more: what an earlier
  // one would take can be left to it, so nothing is tried twice from the same place.
  #follows(id: string): boolean {
    const steps = this.#steps
    let step = 0
    let at = 0
    let retryStep = -1
    let retryAt = 0
    // `at` is one beyond the end when the id has no further component.
    while (at <= id.length) {
      const wanted = steps[step]
      if (wanted === REST) {
        step++
        if (step === steps.length) return true
        retryStep = step
        retryAt = at
        continue
      }
      let end = -1
      if (wanted === ONE) {
        end = componentEnd(id, at)
      } else if (wanted !== undefined && id.startsWith(wanted, at)) {
        const behind = at + wanted.length
        if (behind === id.length || id.charCodeAt(behind) === SLASH) end = behind
      }
      if (end >= 0) {
        step++
        at = end + 1
      } else if (retryStep >= 0) {
        // What follows a `**` is a literal: go to where it may begin next.
        const next = id.indexOf(this.#below[retryStep] as string, retryAt)
        if (next < 0) return false
        retryAt = next + 1
        step = retryStep
        at = retryAt
      } else {
        return false
      }
    }
    return step === steps.length || (step === steps.length - 1 && steps[step] === REST)
  }
}

/**
 * Takes a text that follows the grammar of a pattern; every id is one.
 * @throws {@link InvalidInputError} `SE_INVALID_PATTERN`, which says what is wrong at which offset; `details.at` is that
 * offset.
 */
export function parsePattern(text: string): Pattern {
  return new Pattern(text)
}

function checkPattern(other: Pattern): void {
  if (!(other instanceof Pattern)) throw wrongArgument('other', 'a Pattern', other, 'make one with parsePattern')
}

function isWildcard(token: string): boolean {
  return token === ONE || token === REST
}

function componentEnd(id: string, from: number): number {
  const end = id.indexOf('/', from)
  return end < 0 ? id.length : end
}

function normalise(text: string): string[] {
  const tokens: string[] = []
  let rest = false
  for (const component of text.split('/')) {
    if (component === REST) {
      rest = true
      continue
    }
    if (rest && component !== ONE) {
      tokens.push(REST)
      rest = false
    }
    tokens.push(component)
  }
  if (rest && tokens.length === 0) tokens.push(ONE)
  if (rest) tokens.push(REST)
  return tokens
}

function joined(tokens: readonly string[]): string[] {
  const steps: string[] = []
  for (const token of tokens) {
    const before = steps.at(-1)
    if (before === undefined || isWildcard(before) || isWildcard(token)) steps.push(token)
    else steps[steps.length - 1] = `${before}/${token}`
  }
  return steps
}

/**
 * Tokens cut at their gaps. The head begins the id; behind each gap of at least `min` components comes a block, and the
 * last block ends the id. A head that a gap follows ends with a literal and a block begins with one, unless empty.
 */
interface Shape {
  readonly head: readonly string[]
  readonly gaps: readonly { min: number; block: readonly string[] }[]
}

function shape(tokens: readonly string[]): Shape {
  const blocks: string[][] = [[]]
  const mins: number[] = []
  for (const token of tokens) {
    const block = blocks[blocks.length - 1] as string[]
    if (token !== REST) {
      block.push(token)
      continue
    }
    // The wildcards before a `**` say how much the gap wants.
    let min = 0
    for (; block.at(-1) === ONE; min++) block.pop()
    mins.push(min)
    blocks.push([])
  }
  const [head = [], ...others] = blocks
  return { head, gaps: others.map((block, n) => ({ min: mins[n] as number, block })) }
}

type Fits = (wanted: string, token: string) => boolean

// The alphabet of components is unbounded, so one component that neither pattern names stands for whatever a wildcard
// may take.
function covers(outer: string, inner: string): boolean {
  return inner !== REST && (outer === ONE || outer === inner)
}

function agree(a: string, b: string): boolean {
  return a === b || a === ONE || b === ONE
}

// Lays the tokens over the shape from left to right, each block as early as it fits: a block placed earlier never spoils
// a later one.
//
// A `**` among the tokens means that every length it can take must fit, and `fits` refuses it. Inside the head or the
// last block it is hopeless, since it can push a foreign component under a literal. Elsewhere the worst it can do is
// either nothing at all, where a gap of the shape still wants components, or to be so long that no block spans it.
function walk({ head, gaps }: Shape, tokens: readonly string[], fits: Fits): boolean {
  const liesAt = (block: readonly string[], at: number): boolean =>
    block.every((wanted, n) => fits(wanted, tokens[at + n] as string))
  const last = gaps.at(-1)
  if (last === undefined) return head.length === tokens.length && liesAt(head, 0)
  const end = tokens.length - last.block.length
  if (head.length > end || !liesAt(head, 0) || !liesAt(last.block, end)) return false
  let at = head.length
  for (const { min, block } of gaps) {
    for (let wanted = min; wanted > 0; at++) {
      if (at >= end) return false
      if (tokens[at] !== REST) wanted--
    }
    if (block === last.block) return true
    while (at + block.length <= end && !liesAt(block, at)) at++
    if (at + block.length > end) return false
    at += block.length
  }
  return true
}
