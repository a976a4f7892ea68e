// Runs `se daemon run` in a test's own home, on an address of its own.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { Readable } from 'node:stream'
import type { ExecutionContext } from 'ava'
import { ask } from './ask.js'
import { cli, createFileHome, type Home } from './se.js'

/** One line of the daemon's log. */
export type LogLine = Readonly<Record<string, unknown>>

/** How to run it. */
export interface DaemonOptions {
  /** Whose daemon it is; by default a new home with an encrypted file. */
  readonly home?: Home
  /** More of `config.toml`, such as tables of plugins, for a home whose daemon was not started before. */
  readonly config?: string
  /**
   * Where it listens: by default at the home's own address alone. `default`: wherever a daemon does that is told nothing,
   * which is also in the abstract space that all tests of a machine share.
   */
  readonly addresses?: readonly string[] | 'default'
  readonly env?: NodeJS.ProcessEnv
  /** For Node, such as `--heapsnapshot-signal=SIGUSR2`. */
  readonly nodeArguments?: readonly string[]
  /** Words before those of the daemon, such as of a program that becomes it. */
  readonly launcher?: readonly string[]
  /** `ignore`: nobody reads it, and the log is a file. */
  readonly stderr?: 'pipe' | 'ignore'
}

/** A daemon that runs. Ends with the test. */
export interface Daemon extends AsyncDisposable {
  readonly home: Home
  /** The first address. */
  readonly socket: string
  readonly pid: number
  /** All that it has logged so far. */
  readonly lines: readonly LogLine[]
  /** What it wrote to standard error that is no line of its log. */
  readonly others: readonly string[]
  /** Waits for a line of the log: one with this message, or for which the function is true. */
  logged(wanted: string | ((line: LogLine) => boolean)): Promise<LogLine>
  /** Waits until it answers, for one whose log is not read. */
  answers(): Promise<void>
  /** Leaves its standard error unread from now on. */
  stopReading(): void
  /** Sends it a signal. */
  signal(signal: NodeJS.Signals): void
  /** Ends it, and waits for that: the exit status, or the name of the signal that killed it. */
  stop(): Promise<number | string>
  /** Sends it a signal, and waits for its end, whoever reads its log. */
  exit(signal: NodeJS.Signals): Promise<number | string>
  /** Kills it, and waits for its end. */
  kill(): Promise<void>
  /** Ends it, and starts another one in its place. */
  restart(): Promise<void>
  /** The end, when it comes. */
  readonly ended: Promise<number | string>
}

/** The configuration file of a home. */
export function configFile(home: Home): string {
  return join(home.env['XDG_CONFIG_HOME'] as string, 'se-native', 'config.toml')
}

/** Where the daemon of a home listens unless told otherwise. */
export function homeAddress(home: Home): string {
  return join(home.env['XDG_RUNTIME_DIR'] as string, 'se-native', 'daemon.sock')
}

/** Adds to the home's configuration, which then keeps its daemon away from addresses that are not the test's own. */
export function configureDaemon(home: Home, { config = '', addresses }: DaemonOptions = {}): void {
  const file = configFile(home)
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 })
  const list = JSON.stringify(addresses ?? [homeAddress(home)])
  const isTold = /^\[daemon\]/m.test(config + readIfThere(file))
  const table = isTold || addresses === 'default' ? '' : `[daemon]\naddresses = ${list}\n`
  appendFileSync(file, `\n${table}${config}\n`)
}

/** Starts a daemon of the built command line, and waits until it listens. Nobody starts one twice with other options. */
export async function startDaemon(t: ExecutionContext, options: DaemonOptions = {}): Promise<Daemon> {
  const daemon = await spawnDaemon(t, options)
  await daemon.logged('the daemon has started')
  return daemon
}

/** Starts a daemon, which may fail. */
export async function spawnDaemon(t: ExecutionContext, options: DaemonOptions = {}): Promise<Daemon> {
  const home = options.home ?? (await createFileHome((fn) => t.teardown(fn)))
  configureDaemon(home, options)
  const named = /^addresses = \["([^"]*)"/m.exec(readIfThere(configFile(home)))?.[1]
  const daemon = new Running(home, named ?? homeAddress(home), options)
  t.teardown(() => daemon.stop())
  return daemon
}

class Running implements Daemon {
  readonly home: Home
  readonly socket: string
  readonly #options: DaemonOptions
  #child!: ChildProcess
  #exit!: Promise<unknown[]>
  #ended!: Promise<number | string>
  #isOver = false
  #waiting: (() => void)[] = []
  lines: LogLine[] = []
  others: string[] = []

  constructor(home: Home, socket: string, options: DaemonOptions) {
    this.home = home
    this.socket = socket
    this.#options = options
    this.#start()
  }

  get pid(): number {
    return this.#child.pid as number
  }

  get ended(): Promise<number | string> {
    return this.#ended
  }

  async logged(wanted: string | ((line: LogLine) => boolean)): Promise<LogLine> {
    const is = typeof wanted === 'string' ? ({ message }: LogLine) => message === wanted : wanted
    for (;;) {
      const found = this.lines.find(is)
      if (found !== undefined) return found
      if (this.#isOver) throw new Error(`no line ${wanted}: ${JSON.stringify(this.lines)} ${this.others.join('\n')}`)
      await new Promise<void>((settle) => this.#waiting.push(settle))
    }
  }

  async answers(): Promise<void> {
    for (;;) {
      if (this.#child.exitCode !== null) throw new Error(`the daemon ended with ${this.#child.exitCode}`)
      const reply = await ask(this.socket, '/health').catch(() => undefined)
      if (reply?.status === 200) return
      await new Promise(setImmediate)
    }
  }

  stopReading(): void {
    this.#child.stderr?.pause()
  }

  async exit(signal: NodeJS.Signals): Promise<number | string> {
    this.signal(signal)
    const [status, killed] = await this.#exit
    this.#child.stderr?.resume()
    return (status ?? killed) as number | string
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  stop(): Promise<number | string> {
    this.signal('SIGTERM')
    return this.#ended
  }

  async kill(): Promise<void> {
    this.signal('SIGKILL')
    await this.#ended
  }

  async restart(): Promise<void> {
    await this.stop()
    this.#start()
    await this.logged('the daemon has started')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  #start(): void {
    const { env, nodeArguments = [], launcher = [], stderr = 'pipe' } = this.#options
    this.lines = []
    this.others = []
    this.#isOver = false
    const [program = '', ...words] = [...launcher, process.execPath, ...nodeArguments, cli, 'daemon', 'run']
    const child = spawn(program, words, {
      env: { ...this.home.env, ...env },
      cwd: join(this.home.folder, 'work'),
      stdio: ['ignore', 'ignore', stderr],
    })
    const reader = createInterface({ input: child.stderr ?? Readable.from([]) })
    reader.on('line', (text) => {
      try {
        this.lines.push(JSON.parse(text) as LogLine)
      } catch {
        this.others.push(text)
      }
      this.#wake()
    })
    this.#child = child
    this.#exit = once(child, 'exit')
    this.#ended = Promise.all([this.#exit, once(reader, 'close')]).then(([[status, signal]]) => {
      this.#isOver = true
      this.#wake()
      return (status ?? signal) as number | string
    })
  }

  #wake(): void {
    for (const settle of this.#waiting.splice(0)) settle()
  }
}

function readIfThere(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
