// A program on a real terminal, whose settings, size and foreground group a test can look at and change.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'
import type { Duplex } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { Started } from './start.js'

/** What a terminal is set to. */
export interface Settings {
  readonly echo: boolean
  readonly canonical: boolean
  readonly signals: boolean
  readonly output: boolean
  /** All of them. */
  readonly all: unknown
  readonly size: readonly [rows: number, columns: number]
  /** The group in the foreground. */
  readonly foreground: number
}

/** A program on a terminal. */
export class OnPty extends Started {
  readonly #control: Duplex
  readonly #answers: ((answer: never) => void)[] = []
  readonly #started: Promise<{ pid: number }>

  constructor(argv: readonly string[], env: NodeJS.ProcessEnv, { rows = 24, columns = 80, cwd = '/' } = {}) {
    const script = fileURLToPath(new URL('../fixtures/on_pty.py', import.meta.url))
    const words = [script, String(rows), String(columns), ...argv]
    const child = spawn('python3', words, { env, cwd, stdio: ['pipe', 'pipe', 'pipe', 'pipe'] })
    super(child as never)
    this.#control = child.stdio[3] as Duplex
    this.#control.on('error', () => {})
    createInterface({ input: this.#control }).on('line', (line) => this.#answers.shift()?.(JSON.parse(line) as never))
    this.#started = this.#answer()
  }

  /** The program's process ID. */
  async pid(): Promise<number> {
    return (await this.#started).pid
  }

  /** Looks at the terminal. */
  look(): Promise<Settings> {
    return this.#ask({ look: true })
  }

  /** Looks at the terminal until it is as wanted. */
  async lookUntil(isRight: (settings: Settings) => boolean): Promise<Settings> {
    for (;;) {
      const settings = await this.look()
      if (isRight(settings)) return settings
    }
  }

  /** Gives it another size. */
  async resize(rows: number, columns: number): Promise<void> {
    await this.#ask({ size: [rows, columns] })
  }

  /** Closes it, as a window is closed. */
  async hangUp(): Promise<void> {
    await this.#ask({ hang_up: true })
  }

  /** Shows nothing, as a window that is not drawn; then goes on. */
  async hold(held: boolean): Promise<void> {
    await this.#ask({ hold: held })
  }

  /** Waits for the end: the program's status, 128 and the signal's number where it died by one. */
  async status(): Promise<number> {
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'exit')
    return this.child.exitCode ?? -1
  }

  #ask<T>(request: object): Promise<T> {
    const answer = this.#answer<T>()
    this.#control.write(`${JSON.stringify(request)}\n`)
    return answer
  }

  #answer<T>(): Promise<T> {
    return new Promise((resolve) => this.#answers.push(resolve))
  }
}

/** A process as the system shows it. Nothing when it has gone, or is waited for by nobody but its parent. */
export function processOf(pid: number): { parent: number; group: number; state: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const [state = '', parent, group] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return state === 'Z' || state === 'X' ? undefined : { state, parent: Number(parent), group: Number(group) }
  } catch {
    return undefined
  }
}

/** Waits until a process has gone. */
export async function untilGone(...pids: readonly number[]): Promise<void> {
  while (pids.some((pid) => processOf(pid) !== undefined)) await new Promise((resolve) => setTimeout(resolve, 5))
}
