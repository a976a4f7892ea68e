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

  /** Starts a file of `__test__/fixtures`. `cores` is a folder for the core that it leaves when it is made to. */
  constructor(fixture: string, options: { nodeArguments?: string[]; args?: string[]; cores?: string } = {}) {
    const path = fileURLToPath(new URL(`../fixtures/${fixture}`, import.meta.url))
    const nodeArguments = [`--import=${import.meta.resolve('tsx')}`, ...(options.nodeArguments ?? [])]
    const limit = options.cores === undefined ? '' : `ulimit -c unlimited; cd '${options.cores}'; `
    const program = [process.execPath, ...nodeArguments, path, ...(options.args ?? [])]
    this.#child = spawn('sh', ['-c', `${limit}exec "$@"`, 'sh', ...program], { stdio: ['pipe', 'pipe', 'inherit'] })
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
