import { readFileSync } from 'node:fs'

interface Judged {
  text: string
  /** Repeats the text. */
  times?: number
  /** Offset of what is wrong; `null` when nothing is. */
  at: number | null
}

interface Vectors {
  ids: Judged[]
  patterns: Judged[]
  /** Ids, to which row numbers refer. */
  rows: string[]
  /** Patterns with the rows that each matches, in the order of the tree. */
  matches: { pattern: string; rows: number[] }[]
  /** For each pair of these patterns, 2: equal, 1: includes, -1: is included, 0: overlaps, null: none of these. */
  relations: (number | null)[][]
}

const file = new URL('../vectors/patterns.json', import.meta.url)
const read = JSON.parse(readFileSync(file, 'utf8')) as Vectors

/** The vectors that crates/pattern-matcher/tests/vectors.rs makes, and reads as well. */
export const vectors: Vectors = { ...read, ids: read.ids.map(repeated), patterns: read.patterns.map(repeated) }

function repeated({ text, times = 1, at }: Judged): Judged {
  return { text: text.repeat(times), at }
}
