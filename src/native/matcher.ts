import type { Outcome } from './outcome.js'

/** A compiled set of patterns; crates/binding/src/matcher.rs says what each operation does. */
export interface NativePatternSet {
  matches(id: string): number[]
  matchMany(ids: string, count: number): Outcome<Uint32Array<ArrayBuffer> | null>
}

/** Takes the ids of an index in portions. */
export interface NativeIdIndexBuilder {
  add(ids: string, count: number): Outcome<boolean>
  finish(): Outcome<NativeIdIndex>
}

/** An index of ids. */
export interface NativeIdIndex {
  readonly size: number
  readonly bytes: number
  count(pattern: string): Outcome<number>
  rows(pattern: string): Outcome<Uint32Array<ArrayBuffer>>
  list(pattern: string): Outcome<string[]>
}

/** What crates/binding/src/matcher.rs exports. */
export interface MatcherBinding {
  NativePatternSet: {
    readonly prototype: NativePatternSet
    compile(patterns: string, count: number): Outcome<NativePatternSet>
  }
  NativeIdIndexBuilder: new () => NativeIdIndexBuilder
}
