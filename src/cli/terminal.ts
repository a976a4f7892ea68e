/** The controlling terminal, whatever the standard streams are: whether a person is there, and questions to them. */
import { closeSync, openSync, readSync, writeSync } from 'node:fs'

/** Whether there is a terminal to ask on. */
export function hasTerminal(): boolean {
  const fd = openTerminal()
  if (fd !== undefined) closeSync(fd)
  return fd !== undefined
}

/** Asks a question that `y` or `yes` affirms. Without a terminal: no. */
export function confirm(question: string): boolean {
  const fd = openTerminal()
  if (fd === undefined) return false
  try {
    writeSync(fd, question)
    return /^y(es)?$/i.test(readLine(fd).trim())
  } finally {
    closeSync(fd)
  }
}

function openTerminal(): number | undefined {
  try {
    return openSync(process.platform === 'win32' ? '\\\\.\\CON' : '/dev/tty', 'r+')
  } catch {
    return undefined
  }
}

/** Reads up to the line end, at most 80 bytes. */
function readLine(fd: number): string {
  const bytes = Buffer.alloc(80)
  let length = 0
  while (length < bytes.length) {
    if (readSync(fd, bytes, length, 1, null) === 0 || bytes[length] === 10) break
    length++
  }
  return bytes.toString('utf8', 0, length)
}
