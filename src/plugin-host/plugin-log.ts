/** What a plugin writes to its standard output and error, in a file of its own that stays small. */
import { close, constants, fchmodSync, fstatSync, mkdirSync, open, renameSync, write } from 'node:fs'
import { dirname, join } from 'node:path'
import { Writable } from 'node:stream'
import { promisify } from 'node:util'

/** How large the file grows. There are two: the one that is written, and the one before, `NAME.log.1`. */
export const MAX_LOG_BYTES = 1 << 20

/** The log of a plugin. */
export function pluginLogFile(folder: string, name: string): string {
  return join(folder, `${name}.log`)
}

/**
 * A file that is written at its end: mode 0600 in a folder of mode 0700, opened when something comes. What cannot be
 * written, on a full disk say, is dropped: no plugin waits for its log.
 */
export class PluginLog extends Writable {
  readonly #file: string
  readonly #maxBytes: number
  #fd: number | undefined
  #size = 0

  constructor(file: string, maxBytes = MAX_LOG_BYTES) {
    super({ decodeStrings: true, emitClose: false })
    this.setMaxListeners(0) // each process has two streams that lead here
    this.on('error', () => {}) // what a process that is being killed still writes comes after the end
    this.#file = file
    this.#maxBytes = maxBytes
  }

  /** Writes a line of our own. */
  note(text: string): void {
    if (!this.writableEnded) this.write(`${new Date().toISOString()} se: ${text}\n`)
  }

  /** Writes what is left, and closes the file. */
  finish(): Promise<void> {
    return new Promise((resolve) => this.end(resolve))
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    void this.#append(chunk)
      .catch(() => this.#close())
      .finally(done)
  }

  override _final(done: () => void): void {
    void this.#close().finally(done)
  }

  async #append(chunk: Buffer): Promise<void> {
    if (this.#fd !== undefined && this.#size + chunk.length > this.#maxBytes) await this.#close()
    this.#fd ??= await this.#open()
    if (this.#size > 0 && this.#size + chunk.length > this.#maxBytes) {
      await this.#close()
      renameSync(this.#file, `${this.#file}.1`)
      this.#fd = await this.#open()
    }
    let rest = chunk.subarray(-this.#maxBytes)
    while (rest.length > 0) {
      const { bytesWritten } = await promisify(write)(this.#fd, rest)
      this.#size += bytesWritten
      rest = rest.subarray(bytesWritten)
    }
  }

  async #open(): Promise<number> {
    mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 })
    const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW = 0, O_NONBLOCK = 0 } = constants
    const fd = await promisify(open)(this.#file, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK, 0o600)
    fchmodSync(fd, 0o600)
    this.#size = fstatSync(fd).size
    return fd
  }

  async #close(): Promise<void> {
    const fd = this.#fd
    this.#fd = undefined
    if (fd !== undefined) await promisify(close)(fd).catch(() => {})
  }
}
