/** Asks a person on the controlling terminal, whatever the standard streams are. */
import { closeSync, openSync, readSync, writeSync } from 'node:fs'

/** Asks a question that `y` or `yes` affirms. Without a terminal: no. */
export function confirm(question: string): boolean {
  let fd: number
  try {
    fd = openSync(process.platform === 'win32' ? '\\\\.\\CON' : '/dev/tty', 'r+')
  } catch {
    return false
  }
  try {
    writeSync(fd, question)
    return /^y(es)?$/i.test(readLine(fd).trim())
  } finally {
    closeSync(fd)
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
