// Looks for a canary where a value must not be: files, folders, and the memory of another process.
import { closeSync, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Canary } from '../../src/testing/canary.js'

export { Canary } from '../../src/testing/canary.js'

/**
 * Every place in a folder, at any depth, where the canary is: `path: form`. Names of files count. What is removed meanwhile is
 * passed over.
 */
export function canaryInFiles(canary: Canary, folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).flatMap((name) => {
    const path = join(folder, name)
    const form = canary.foundIn(name) ?? formIn(canary, path)
    return form === undefined ? [] : [`${path}: ${form}`]
  })
}

function formIn(canary: Canary, path: string): string | undefined {
  try {
    return statSync(path).isFile() ? canary.foundIn(readFileSync(path)) : undefined
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return undefined
  }
}

/**
 * Every place in the writable memory of a process where the canary is: `mapping: form`. Linux only. Never scan the
 * process that holds the canary itself.
 * @param where - `dumped`: only where a core would have it, which is what smaps(5) does not flag `dd`.
 */
export function canaryInMemory(canary: Canary, pid: number, where: 'anywhere' | 'dumped' = 'anywhere'): string[] {
  const found = new Set<string>()
  const left = where === 'dumped' ? notDumped(pid) : new Set()
  const memory = openSync(`/proc/${pid}/mem`, 'r')
  try {
    for (const line of readFileSync(`/proc/${pid}/maps`, 'utf8').split('\n')) {
      const match = /^([0-9a-f]+)-([0-9a-f]+) rw\S+ \S+ \S+ \S+\s*(.*)$/.exec(line)
      if (match === null) continue
      const [, from, to, name] = match as unknown as [string, string, string, string]
      if (left.has(from)) continue
      for (const form of scan(memory, Number.parseInt(from, 16), Number.parseInt(to, 16), canary)) {
        found.add(`${name || 'anonymous memory'}: ${form}`)
      }
    }
  } finally {
    closeSync(memory)
  }
  return [...found]
}

/** Where the mappings begin that cores leave out. */
function notDumped(pid: number): Set<string> {
  const mapping = /^([0-9a-f]+)-[0-9a-f]+ [\s\S]*?^VmFlags:(.*)$/gm
  const all = [...readFileSync(`/proc/${pid}/smaps`, 'utf8').matchAll(mapping)]
  return new Set(all.filter(([, , flags]) => / dd /.test(` ${flags} `)).map(([, from]) => from as string))
}

const CHUNK = 8 << 20
const OVERLAP = 4096

function* scan(memory: number, from: number, to: number, canary: Canary): Generator<string> {
  const chunk = Buffer.allocUnsafe(Math.min(CHUNK, to - from))
  for (let at = from; at < to; at += CHUNK - OVERLAP) {
    let read: number
    try {
      read = readSync(memory, chunk, 0, Math.min(chunk.length, to - at), at)
    } catch {
      return // a mapping without memory behind it, or one that has gone
    }
    const bytes = chunk.subarray(0, read)
    let form = canary.foundIn(bytes)
    if (form === 'plain') {
      yield form
      // It hides the other forms, which are looked for after it.
      blank(bytes, canary.bytes)
      form = canary.foundIn(bytes)
    }
    if (form !== undefined) yield form
    if (at + read >= to) return
  }
}

function blank(bytes: Buffer, what: Uint8Array): void {
  for (let at = bytes.indexOf(what); at >= 0; at = bytes.indexOf(what, at)) bytes.fill(0, at, at + what.length)
}
