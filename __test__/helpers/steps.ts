// Runs a fixture that works in steps: it says when a step is done, and waits until the test lets it go on.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface, type Interface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/** A fixture that is running. */
export class Steps {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>
  readonly #reader: Interface

  /** Starts a file of `__test__/fixtures`. */
  constructor(fixture: string, options: { nodeArguments?: string[]; args?: string[] } = {}) {
    const path = fileURLToPath(new URL(`../fixtures/${fixture}`, import.meta.url))
    const nodeArguments = ['--import=tsx', ...(options.nodeArguments ?? [])]
    this.#child = spawn(process.execPath, [...nodeArguments, path, ...(options.args ?? [])], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.#reader = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream })
    this.#lines = this.#reader[Symbol.asyncIterator]()
  }

  /** The fixture's process. */
  get pid(): number {
    return this.#child.pid as number
  }

  /** The next line that the fixture writes. */
  async next(): Promise<string> {
    const { value, done } = await this.#lines.next()
    if (done === true) throw new Error('the fixture ended early')
    return value
  }

  /** Lets the fixture do its next step. */
  goOn(): void {
    this.#child.stdin?.write('\n')
  }

  /** Ends the fixture's input, and waits for its end. */
  async end(): Promise<void> {
    this.#child.stdin?.end()
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit')
  }
}
