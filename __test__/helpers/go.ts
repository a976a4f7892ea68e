// Programs built of Docker's published Go modules, in __test__/go: built once for what is in that folder, kept below the
// system's folder for temporary files, and run with the output as the tests want it.
import { type ChildProcessWithoutNullStreams, execFile, spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, watch, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { ExecutionContext, TestFn } from 'ava'

const sources = fileURLToPath(new URL('../go/', import.meta.url))
const run = promisify(execFile)

/** Seconds that the first build may take: it downloads the modules and compiles all of them. */
const BUILD_SECONDS = 600
/** ava waits no longer for a file that shows no life. */
const LIFE_MS = 60_000

/**
 * Whether Go is there; when it is not, the reason to skip with. Where `SE_REQUIRE` names `go`, as in CI, a missing one
 * fails instead.
 */
export function goMissing(): string | undefined {
  if (process.platform === 'win32') return 'Unix sockets of Node.js exist on Unix only'
  if (spawnSync('go', ['version']).status === 0) return undefined
  if (process.env['SE_REQUIRE']?.split(/[\s,]+/).includes('go')) throw new Error('Go is required')
  return 'Go is missing'
}

/** Has the Go programs built before the tests of a file. */
export function buildGoFirst(test: TestFn): void {
  test.before('the Go programs are built', async (t) => {
    const missing = goMissing()
    if (missing === undefined) await whileBuilding(t, buildGo())
    else t.log(missing)
    t.pass()
  })
}

/**
 * Waits for a build, for longer than ava does. Limits of its own are what ava takes for life: with one for the whole
 * build, tests that hang afterwards would be waited for as long.
 */
export async function whileBuilding<T>(t: ExecutionContext, build: Promise<T>): Promise<T> {
  const live = (): void => t.timeout(LIFE_MS)
  live()
  const timer = setInterval(live, LIFE_MS / 2)
  try {
    return await build
  } finally {
    clearInterval(timer)
    t.timeout.clear()
  }
}

let building: Promise<string> | undefined

/** Builds the programs, where that was not done before, and answers with the folder that holds them. */
export function buildGo(): Promise<string> {
  building ??= build()
  return building
}

async function build(): Promise<string> {
  const hash = createHash('sha256').update(spawnSync('go', ['version']).stdout)
  for (const name of readdirSync(sources, { recursive: true, encoding: 'utf8' }).sort())
    if (/\.(go|mod|sum)$/.test(name)) hash.update(`${name}\0`).update(readFileSync(join(sources, name)))
  const folder = join(tmpdir(), `se-native-go-${process.getuid?.()}-${hash.digest('hex').slice(0, 16)}`)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  // Several test processes come here at once: one builds, the others wait for the lock, which ends with its process.
  const script = 'test -e done || { go build -C "$1" -trimpath -o "$2/" ./... && touch done; }'
  const env = { ...process.env, GOFLAGS: '-mod=mod -buildvcs=false' }
  const words = [`${BUILD_SECONDS}`, 'flock', 'lock', 'sh', '-c', script, 'sh', sources, folder]
  await run('timeout', words, { cwd: folder, env })
  return folder
}

/** A secret as the Go client prints it. Times are empty where Go has its zero time. */
export interface GoEnvelope {
  readonly id: string
  /** Base64. */
  readonly value: string | null
  readonly length: number
  readonly provider: string
  readonly version: string
  readonly metadata?: Record<string, string>
  readonly createdAt: string
  readonly resolvedAt: string
  readonly expiresAt: string
}

/** A plugin as the Go client prints it. */
export interface GoPlugin {
  readonly name: string
  readonly version: string
  readonly disabled: boolean
  readonly external: boolean
  readonly configurable: boolean
  readonly runStatus: string
  readonly statusMessage: string
  readonly kind: string
  readonly pattern?: string
}

/** What came of one call of the Go client. */
export interface GoAnswer {
  readonly envelopes?: readonly GoEnvelope[]
  readonly plugins?: readonly GoPlugin[]
  readonly version?: string
  readonly commit?: string
  readonly date?: string
  readonly error?: string
  /** The Connect code of the error. */
  readonly code?: string
  /** `errors.Is(err, ErrSecretNotFound)`. */
  readonly notFound: boolean
  /** `errors.Is(err, ErrSecretsEngineNotAvailable)`. */
  readonly notAvailable: boolean
  readonly milliseconds: number
}

/**
 * Runs the Go client once: its flags, then `get PATTERN`, `list`, `enable NAME`, `disable NAME` or `version`. Of its own
 * accord it waits for a second only, which is not enough for anything on a busy machine; a flag gives that back.
 */
export async function goClient(args: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<GoAnswer> {
  const patient = ['-response-timeout', '0', ...args]
  const { stdout } = await run(join(await buildGo(), 'client'), patient, { env, maxBuffer: 1 << 30 })
  return JSON.parse(stdout) as GoAnswer
}

/** A program that runs, read line by line. */
export class LineProgram {
  readonly child: ChildProcessWithoutNullStreams
  readonly #lines: string[] = []
  readonly #waiting: (() => void)[] = []
  #rest = ''
  #stderr = ''
  #ended = false

  constructor(file: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
    this.child = spawn(file, args, { env })
    this.child.stdin.on('error', () => {}) // it may end without reading
    this.child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (this.#rest + chunk).split('\n')
      this.#rest = lines.pop() as string
      this.#lines.push(...lines)
      this.#wake()
    })
    this.child.stderr.setEncoding('utf8').on('data', (chunk: string) => {
      this.#stderr = (this.#stderr + chunk).slice(-4096)
    })
    this.child.once('close', () => {
      this.#ended = true
      this.#wake()
    })
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }

  /** Its process. */
  get pid(): number {
    return this.child.pid as number
  }

  /** What it has written and nobody has taken yet. */
  get lines(): readonly string[] {
    return this.#lines
  }

  /** The end of what it has written to standard error. */
  get stderr(): string {
    return this.#stderr
  }

  /** Waits for a line that matches, and takes it out with all lines before it. */
  async line(pattern: RegExp): Promise<string> {
    for (;;) {
      const at = this.#lines.findIndex((line) => pattern.test(line))
      if (at >= 0) return this.#lines.splice(0, at + 1).at(-1) as string
      if (this.#ended)
        throw new Error(
          `it ended with ${this.child.exitCode ?? this.child.signalCode} before ${pattern}; it wrote: ${this.#lines.join('\n')}${this.#stderr}`,
        )
      await new Promise<void>((wake) => this.#waiting.push(wake))
    }
  }

  /** Writes a line to its input, and waits for the next line that it writes, as JSON. */
  async ask<T>(line: string): Promise<T> {
    this.child.stdin.write(`${line}\n`)
    return JSON.parse(await this.line(/./)) as T
  }

  /** Waits for its end, and answers with its exit status or signal. */
  async ended(): Promise<number | string> {
    if (!this.#ended) await once(this.child, 'close')
    return this.child.exitCode ?? (this.child.signalCode as string)
  }

  /** Sends a signal, unless it has ended, and waits for its end. */
  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<number | string> {
    if (!this.#ended) this.child.kill(signal)
    return this.ended()
  }
}

/** Starts one of the Go programs; `remove` takes the function that ends it, such as `t.teardown`. */
export async function startGo(
  program: 'client' | 'engine' | 'plugin' | 'register',
  args: readonly string[],
  remove: (fn: () => Promise<unknown>) => void,
  env?: NodeJS.ProcessEnv,
): Promise<LineProgram> {
  const started = new LineProgram(join(await buildGo(), program), args, env)
  remove(() => started.stop())
  return started
}

/** A secret as the Go plugin takes it. `size` makes a value of so many bytes. */
export interface GoSecret {
  readonly id: string
  readonly value?: Buffer
  readonly size?: number
  readonly version?: string
  readonly provider?: string
  readonly metadata?: Record<string, string>
  readonly createdAt?: string
  readonly expiresAt?: string
}

/** Writes the file for `-secrets` of the Go plugin into a folder, and answers with its path. */
export function writeSecrets(folder: string, secrets: readonly GoSecret[]): string {
  const path = join(
    folder,
    `secrets-${createHash('sha256').update(JSON.stringify(secrets)).digest('hex').slice(0, 8)}.json`,
  )
  const written = secrets.map(({ value, ...facts }) => ({ ...facts, value: value?.toString('base64') }))
  writeFileSync(path, JSON.stringify(written), { mode: 0o600 })
  return path
}

/** The file of `-log` of a Go plugin, which tells what happens to one that the daemon has launched. */
export class EventFile {
  readonly path: string
  #at = 0

  constructor(folder: string, name: string) {
    this.path = join(folder, `${name}.events`)
    writeFileSync(this.path, '')
  }

  /** All lines so far. */
  get lines(): string[] {
    return readFileSync(this.path, 'utf8').split('\n').slice(0, -1)
  }

  /** Waits for a line that matches, after those that it has answered with before. */
  async line(pattern: RegExp): Promise<string> {
    const watcher = watch(this.path)
    try {
      for (;;) {
        const changed = once(watcher, 'change')
        const { lines } = this
        const at = lines.findIndex((line, n) => n >= this.#at && pattern.test(line))
        if (at >= 0) {
          this.#at = at + 1
          return lines[at] as string
        }
        await changed
      }
    } finally {
      watcher.close()
    }
  }
}
