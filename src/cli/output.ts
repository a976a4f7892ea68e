/**
 * Text to the standard streams, by descriptor: `process.stdout` would load `net` and `tty` (5 to 7 ms at every start),
 * and leaves a pipe non-blocking, which the program that we become would inherit.
 */
import { fstatSync, writeSync } from 'node:fs'
import type { Output } from './command.js'

/** Whether the descriptor is a terminal. Asks `node:tty` only about character devices. */
export function isTerminal(fd: number): boolean {
  try {
    if (process.platform !== 'win32') {
      const stat = fstatSync(fd)
      const isMemoryDevice = process.platform === 'linux' && stat.rdev >> 8 === 1 // such as /dev/null
      if (!stat.isCharacterDevice() || isMemoryDevice) return false
    }
  } catch {
    return false // closed
  }
  return process.getBuiltinModule('node:tty').isatty(fd)
}

/** Writes all bytes, waiting where the descriptor is a full non-blocking pipe that somebody else set so. */
function writeAll(fd: number, text: string): void {
  let bytes: Uint8Array = Buffer.from(text)
  while (bytes.length > 0) {
    try {
      bytes = bytes.subarray(writeSync(fd, bytes))
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5)
    }
  }
}

/**
 * An output on a descriptor. What it is gets looked up when first asked. After a failure, what is still written is
 * dropped, so that a command does all of its work whoever listens.
 */
export function createOutput(fd: number, env: NodeJS.ProcessEnv): Output {
  let terminal: boolean | undefined
  let broken: NodeJS.ErrnoException | undefined
  return {
    fd,
    get isTerminal() {
      terminal ??= isTerminal(fd)
      return terminal
    },
    get hasColour() {
      return !env['NO_COLOR'] && env['TERM'] !== 'dumb' && this.isTerminal
    },
    get failure() {
      return broken === undefined || readerHasGone(broken) ? undefined : broken
    },
    write(text) {
      if (broken !== undefined) return
      try {
        writeAll(fd, text)
      } catch (error) {
        broken = error as NodeJS.ErrnoException
      }
    },
  }
}

function readerHasGone({ code }: NodeJS.ErrnoException): boolean {
  return code === 'EPIPE' || code === 'EOF'
}
