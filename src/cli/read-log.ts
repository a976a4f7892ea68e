/** Shows a log, of the daemon or of a plugin: its end, and what is added to it. */
import { closeSync, fstatSync, openSync, readFileSync, readSync, statSync } from 'node:fs'
import { printable } from './columns.js'
import type { Context } from './command.js'
import { LOG_LINES } from './flags.js'

/** How often a file that is followed is looked at. */
const LOOK_MS = 250
const CHUNK_BYTES = 64 << 10

/**
 * Prints what LOG_FLAGS ask for of a log.
 * @param older - Where its older part is.
 * @param file - The log, which need not be there.
 */
export async function showLog(
  { flags, stdout }: Pick<Context, 'flags' | 'stdout'>,
  older: string,
  file: string,
): Promise<void> {
  const show = (line: string): void => stdout.write(`${stdout.isTerminal ? printable(line) : line}\n`)
  const { lines, end } = lastLines([older, file], flags.integer('lines') ?? LOG_LINES)
  for (const line of lines) show(line)
  if (flags.has('follow')) await followLog(file, end, show, () => stdout.failure === undefined)
}

/**
 * The last lines of several files, the oldest first; one that is not there counts as empty.
 * @returns the lines, and where the last file ended.
 */
function lastLines(files: readonly string[], count: number): { lines: string[]; end: number } {
  let end = 0
  const texts = files.map((file) => {
    const bytes = readIfThere(file)
    end = bytes.length
    return bytes.toString()
  })
  const lines = texts.join('').split('\n')
  if (lines.at(-1) === '') lines.pop()
  return { lines: count === 0 ? [] : lines.slice(-count), end }
}

/**
 * Shows each line that is added to a file, which may be replaced by a new one. Does not end by itself.
 * @param end - Where to begin.
 */
function followLog(file: string, end: number, show: (line: string) => void, goOn: () => boolean): Promise<void> {
  const ino = (): number => statSync(file, { throwIfNoEntry: false })?.ino ?? 0
  let fd = open(file)
  let place = end
  let rest = Buffer.alloc(0)
  const chunk = Buffer.alloc(CHUNK_BYTES)
  const readOn = (): void => {
    if (fd === undefined) return
    for (let length = 1; length > 0; ) {
      length = readSync(fd, chunk, 0, chunk.length, place)
      place += length
      rest = Buffer.concat([rest, chunk.subarray(0, length)])
      for (let at = rest.indexOf(0x0a); at >= 0; at = rest.indexOf(0x0a)) {
        show(rest.toString('utf8', 0, at))
        rest = rest.subarray(at + 1)
      }
    }
  }
  return new Promise((settle) => {
    const look = (): void => {
      readOn()
      if (fd === undefined || ino() !== fstatSync(fd).ino) {
        if (fd !== undefined) closeSync(fd)
        fd = open(file)
        place = 0
        rest = Buffer.alloc(0)
        readOn()
      }
      if (goOn()) return
      clearInterval(timer)
      settle()
    }
    // Not watchFile: what is added between the first look and its own first one would never be told.
    const timer = setInterval(look, LOOK_MS)
    look()
  })
}

function open(file: string): number | undefined {
  try {
    return openSync(file, 'r')
  } catch {
    return undefined // it comes with the daemon
  }
}

function readIfThere(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0)
    throw error
  }
}
