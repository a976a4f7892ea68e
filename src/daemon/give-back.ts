/**
 * Gives memory back to the system when the work is over: V8 and malloc keep for later what a load once took. A request
 * that comes in that instant waits for it, some twenty milliseconds.
 */
import type { PluginLogger } from '../engine/plugin.js'
import { giveMemoryBack } from '../native/process.js'
import { type Clock, systemClock } from '../plugin-host/clock.js'
import { IdleWatch } from './idle-watch.js'

/** How long nobody may have asked. */
const QUIET_MS = 10_000
/** What the first collection let go is freed within this time, by other threads and in later turns. */
const AGAIN_MS = 100
/** Less is not worth a collection: somebody may ask every minute. */
const WORTH_BYTES = 4 << 20

/** What a process can do about its memory. */
export interface ProcessMemory {
  /** The bytes that are resident. */
  residentBytes(): number
  /** Collects garbage, and gives back what is free. */
  giveBack(): void
}

const OWN: ProcessMemory = { residentBytes: process.memoryUsage.rss, giveBack: giveMemoryBack }

/** Gives back what its start and each spell of work leave behind. Holds nothing alive by itself. */
export class GiveBack {
  readonly #isBusy: () => boolean
  readonly #log: PluginLogger
  readonly #clock: Clock
  readonly #memory: ProcessMemory
  /** The bytes that were resident when memory had been given back; 0 before that. */
  #kept = 0
  #watch: IdleWatch | undefined

  /** @param isBusy - Whether a request is under way. */
  constructor(isBusy: () => boolean, log: PluginLogger, clock: Clock = systemClock, memory: ProcessMemory = OWN) {
    this.#isBusy = isBusy
    this.#log = log
    this.#clock = clock
    this.#memory = memory
    this.touch()
  }

  /** Notes that somebody asks. */
  touch(): void {
    this.#watch ??= new IdleWatch(QUIET_MS, this.#isBusy, () => this.#quiet(), this.#clock)
    this.#watch.touch()
  }

  /** Ends the waiting. */
  stop(): void {
    this.#watch?.stop()
  }

  #quiet(): void {
    this.#watch = undefined
    const beforeBytes = this.#memory.residentBytes()
    if (beforeBytes - this.#kept < WORTH_BYTES) return
    this.#kept = 0
    this.#memory.giveBack()
    this.#clock.after(AGAIN_MS, () => {
      if (this.#watch !== undefined || this.#isBusy()) return
      this.#memory.giveBack()
      this.#kept = this.#memory.residentBytes()
      this.#log.debug('memory was given back', { beforeBytes, afterBytes: this.#kept })
    })
  }
}
