// Starts programs as Node cannot: with arguments and variables as bytes, inherited descriptors, masks and limits.
import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const script = (name: string): string => fileURLToPath(new URL(`../fixtures/${name}`, import.meta.url))

/** What `__test__/fixtures/start.py` understands. */
export interface Start {
  readonly argv: readonly (string | Buffer)[]
  /** `NAME=value` strings, in order. */
  readonly env: readonly (string | Buffer)[]
  /** Descriptors by number: a path and its open flags, or the other end of a pipe. */
  readonly descriptors?: Readonly<Record<number, readonly [path: string, flags: number] | readonly ['pipe', number]>>
  readonly nonblocking?: readonly number[]
  readonly ignored?: readonly number[]
  readonly blocked?: readonly number[]
  readonly softLimit?: number
  readonly umask?: number
  readonly folder?: string
}

/** A program that was started, and what it has written so far. */
export class Started {
  readonly child: ChildProcessWithoutNullStreams
  #shown = ''
  #waiting: (() => void)[] = []

  constructor(child: ChildProcessWithoutNullStreams) {
    this.child = child
    const more = (chunk: Buffer): void => {
      this.#shown += chunk.toString('latin1')
      for (const wake of this.#waiting.splice(0)) wake()
    }
    child.stdout.on('data', more)
    child.stderr.on('data', more)
    child.stdin.on('error', () => {}) // a program may end without reading
    child.on('close', () => more(Buffer.alloc(0)))
  }

  /** Everything that was written since the last match, one character a byte. */
  get shown(): string {
    return this.#shown
  }

  /** Waits until what was written matches, takes it out up to the end of the match, and answers with the match. */
  async expect(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.#shown)
      if (match !== null) {
        this.#shown = this.#shown.slice(match.index + match[0].length)
        return match
      }
      const { exitCode, signalCode, stdout } = this.child
      if ((exitCode ?? signalCode) !== null && stdout.closed) {
        throw new Error(`it ended with ${exitCode ?? signalCode} before ${pattern}; it wrote: ${this.#shown}`)
      }
      await new Promise<void>((wake) => this.#waiting.push(wake))
    }
  }

  /** Types or writes. */
  send(text: string): void {
    this.child.stdin.write(text)
  }

  /** Closes the input, waits for the end, and answers with the status or the signal. */
  async end(): Promise<number | string> {
    this.child.stdin.end()
    if (!this.child.stdout.closed) await once(this.child, 'close')
    return this.child.exitCode ?? this.child.signalCode ?? 'unknown'
  }
}

/** Starts a program as described. Its PID is that of the answer's child. */
export function start(folder: string, description: Start): Started {
  const path = join(folder, `start-${Math.random().toString(16).slice(2)}.json`)
  const hex = (text: string | Buffer): string => Buffer.from(text).toString('hex')
  const { argv, env, ...others } = description
  writeFileSync(path, JSON.stringify({ argv: argv.map(hex), env: env.map(hex), ...others }))
  return new Started(spawn('python3', [script('start.py'), path]))
}

/** The program that prints the signals it gets. */
export const takeSignals = ['python3', script('take-signals.py')]
