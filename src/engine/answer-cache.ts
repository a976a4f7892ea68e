// Answers of one plugin that are used again for a while. Off unless the plugin says for how long.
import { now } from '../clock.js'
import type { Pattern } from '../pattern.js'
import { copyOf, type Secret } from '../secret.js'
import { type Brought, wipe } from './brought.js'

/** What one plugin's cache holds at most. An answer that is larger by itself is not kept. */
export const CACHE_LIMITS = { secrets: 1000, bytes: 4 * 1024 * 1024 }

interface Entry {
  /** The plugin's own pattern when it answered: with another one it may answer otherwise. */
  readonly own: string
  readonly secrets: readonly Secret[]
  readonly bytes: number
  /** In milliseconds of {@link now}. */
  readonly until: number
  /** In milliseconds since 1970. */
  readonly expiresAt: number
}

/** A clock that never goes back, and the time of day, both in milliseconds. */
export interface Clock {
  now(): number
  today(): number
}

/** The cache of one plugin. */
export class AnswerCache {
  readonly #clock: Clock
  /** The oldest first. */
  readonly #entries = new Map<string, Entry>()
  #secrets = 0
  #bytes = 0
  #sweeping: NodeJS.Timeout | undefined

  constructor(clock: Clock = { now, today: Date.now }) {
    this.#clock = clock
  }

  /** Copies of what was kept and is still valid, for the caller to dispose. */
  find(key: string, own: Pattern): readonly Secret[] | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    if (entry.own === own.text && this.#isValid(entry)) return entry.secrets.map(copyOf)
    this.#drop(key, entry)
    return undefined
  }

  /**
   * Keeps copies of an answer. Not of an empty one: what is stored meanwhile should be found. The oldest make room.
   * @param ttlMs - How long, at most: until the first of the secrets expires.
   */
  keep(key: string, own: Pattern, { secrets }: Brought, ttlMs: number): void {
    const before = this.#entries.get(key)
    if (before !== undefined) this.#drop(key, before)
    const bytes = secrets.reduce((sum, { byteLength }) => sum + byteLength, 0)
    if (secrets.length === 0 || secrets.length > CACHE_LIMITS.secrets || bytes > CACHE_LIMITS.bytes) return
    const expiresAt = Math.min(...secrets.map((secret) => secret.expiresAt?.getTime() ?? Number.POSITIVE_INFINITY))
    if (expiresAt <= this.#clock.today()) return
    for (const [oldest, entry] of this.#entries) {
      if (this.#secrets + secrets.length <= CACHE_LIMITS.secrets && this.#bytes + bytes <= CACHE_LIMITS.bytes) break
      this.#drop(oldest, entry)
    }
    const until = this.#clock.now() + ttlMs
    this.#entries.set(key, { own: own.text, secrets: secrets.map(copyOf), bytes, until, expiresAt })
    this.#secrets += secrets.length
    this.#bytes += bytes
    this.#sweepLater(Math.min(ttlMs, expiresAt - this.#clock.today()))
  }

  /** Wipes everything. */
  clear(): void {
    for (const [key, entry] of this.#entries) this.#drop(key, entry)
    clearTimeout(this.#sweeping)
    this.#sweeping = undefined
  }

  /** Wipes what is no longer valid. */
  sweep(): void {
    let next = Number.POSITIVE_INFINITY
    for (const [key, entry] of this.#entries) {
      if (this.#isValid(entry)) {
        next = Math.min(next, entry.until - this.#clock.now(), entry.expiresAt - this.#clock.today())
      } else this.#drop(key, entry)
    }
    this.#sweeping = undefined
    if (this.#entries.size > 0) this.#sweepLater(next)
  }

  // A value is not left in memory for want of somebody who asks. It may stay until the earlier timer rings.
  #sweepLater(inMs: number): void {
    const delay = Math.min(Math.max(Math.ceil(inMs), 1), 2 ** 31 - 1)
    this.#sweeping ??= setTimeout(() => this.sweep(), delay).unref()
  }

  #isValid({ until, expiresAt }: Entry): boolean {
    return this.#clock.now() < until && this.#clock.today() < expiresAt
  }

  #drop(key: string, { secrets, bytes }: Entry): void {
    this.#entries.delete(key)
    this.#secrets -= secrets.length
    this.#bytes -= bytes
    wipe(secrets)
  }
}
