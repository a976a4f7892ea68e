/**
 * What is remembered of plugins: which are disabled, and what those last registered that run in a process of their own. One
 * file, `plugins.json`, written atomically.
 */
import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { createError, SecretsError } from '../errors/secrets-error.js'
import { firstWrong } from '../grammar.js'
import { native } from '../native/load.js'
import { unwrap } from '../native/outcome.js'
import type { PluginKind } from '../session/registration.js'

/** What a plugin last registered. */
export interface KnownPlugin {
  readonly version: string
  /** None for a plugin that decides about access. */
  readonly pattern: string | undefined
  readonly kind: PluginKind
}

interface States {
  readonly disabled: readonly string[]
  readonly known: Readonly<Record<string, KnownPlugin>>
}

const NOTHING: States = { disabled: [], known: {} }

/** The states of plugins, in a file. */
export class PluginStates {
  readonly #file: string

  /** @param file - `plugins.json`; made, with its folder, when there is something to remember. */
  constructor(file: string) {
    this.#file = file
  }

  /** Names of disabled plugins. */
  disabled(): readonly string[] {
    return this.#read().disabled
  }

  /** What a plugin last registered. */
  known(name: string): KnownPlugin | undefined {
    const { known } = this.#read()
    return Object.hasOwn(known, name) ? known[name] : undefined
  }

  /** @throws `SE_INVALID_CONFIG` when the file cannot be written. */
  setEnabled(name: string, enabled: boolean): void {
    if (this.disabled().includes(name) !== enabled) return
    this.#change(({ disabled, known }) => {
      const others = disabled.filter((other) => other !== name)
      return { disabled: enabled ? others : [...others, name].sort(), known }
    })
  }

  /** Remembers what a plugin registered. */
  remember(name: string, known: KnownPlugin): void {
    const before = this.known(name)
    if (before?.version === known.version && before.pattern === known.pattern && before.kind === known.kind) return
    this.#change((states) => ({ ...states, known: { ...states.known, [name]: known } }))
  }

  /** Forgets all of a plugin. */
  forget(name: string): void {
    this.#change(({ disabled, known: { [name]: _, ...known } }) => ({
      disabled: disabled.filter((other) => other !== name),
      known,
    }))
  }

  /** A broken file is not taken for an empty one: a plugin would be enabled by accident. */
  #read(): States {
    let text: string
    try {
      text = readFileSync(this.#file, 'utf8')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return NOTHING
      throw this.#broken('read', error)
    }
    const states = understood(text)
    if (states === undefined) throw this.#broken('understood')
    return states
  }

  #change(change: (states: States) => States): void {
    try {
      mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 })
      const unlock = lock(`${this.#file}.lock`)
      try {
        const temporary = `${this.#file}.${process.pid}.tmp`
        try {
          writeFileSync(temporary, `${JSON.stringify(change(this.#read()), undefined, 2)}\n`, { mode: 0o600 })
          renameSync(temporary, this.#file)
        } finally {
          rmSync(temporary, { force: true })
        }
      } finally {
        unlock()
      }
    } catch (error) {
      throw SecretsError.is(error) ? error : this.#broken('written', error)
    }
  }

  #broken(what: string, cause?: unknown): SecretsError {
    const { code } = Object(cause) as NodeJS.ErrnoException
    const reason = code === undefined ? '' : ` (${code})`
    return createError('SE_INVALID_CONFIG', `${this.#file} cannot be ${what}${reason}`, {
      hint: 'mend it, or remove it: then every plugin is enabled',
      details: { file: this.#file },
      cause,
    })
  }
}

/** Takes the lock of a file that is written in a moment, and waits a moment for whoever has it. */
function lock(path: string): () => void {
  if (process.platform === 'win32') return () => {}
  const pause = new Int32Array(new SharedArrayBuffer(4))
  for (let tries = 0; tries < 100; tries++) {
    const held = unwrap(native().lockFile(path))
    if (held !== null) return () => held.release()
    Atomics.wait(pause, 0, 0, 5)
  }
  return () => {} // somebody holds it for good: what is lost is one change at most
}

function understood(text: string): States | undefined {
  try {
    const { disabled, known } = JSON.parse(text) as States
    const names = disabled.filter((name) => typeof name === 'string')
    const plugins = Object.entries(known).filter(
      ([, { version, pattern, kind }]) =>
        typeof version === 'string' &&
        (pattern === undefined || (typeof pattern === 'string' && firstWrong('pattern', pattern) < 0)) &&
        (kind === 'secrets' || kind === 'access control'),
    )
    return { disabled: names, known: Object.fromEntries(plugins) }
  } catch {
    return undefined
  }
}
