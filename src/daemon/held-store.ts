/**
 * The daemon's own store: the built-in plugin over it, which stays the same while the store behind it is opened anew, and
 * the passphrase of an encrypted file, kept in native memory from `se unlock` until `se lock`.
 */
import { chooseStore } from '../config/choose-store.js'
import type { Config } from '../config/config.js'
import { type Answer, makePlugin, type Plugin, type PluginContext } from '../engine/plugin.js'
import { PLUGIN_TIMEOUT_MS } from '../engine/plugin-limits.js'
import { createError, SecretsError } from '../errors/secrets-error.js'
import { native } from '../native/load.js'
import { unwrap } from '../native/outcome.js'
import type { Pattern } from '../pattern.js'
import { type Clock, systemClock, within } from '../plugin-host/clock.js'
import { keychain } from '../plugins/keychain.js'
import { handleOf, type Secret, secretFromHandle } from '../secret.js'
import { openStore, type StoreOptions } from '../store/open-store.js'
import { configuredPassphrase, type PassphraseSource } from '../store/passphrase.js'
import { wait } from '../wait.js'

// How long a keychain may take to say whether it is there.
const PROBE_TIMEOUT_MS = 2000

/** Which store it is. */
export interface StorePlace {
  /** Its kind; empty when none was chosen and no keychain answers. */
  readonly kind: string
  /** The encrypted file, or who keeps the keychain. */
  readonly location: string
}

/** The plugin over one opening of the store. */
type Inner = Plugin & Required<Pick<Plugin, 'getMany' | 'listIds' | 'close'>>

/** The daemon's store. */
export class HeldStore {
  /** The built-in plugin. */
  readonly plugin: Plugin
  #config: Config
  #inner: Inner
  #place: StorePlace = { kind: '', location: '' }
  #given: Secret | undefined
  readonly #clock: Clock

  private constructor(config: Config, clock: Clock) {
    this.#config = config
    this.#clock = clock
    this.#inner = this.#open()
    const { name, version, pattern, timeoutMs } = this.#inner
    this.plugin = makePlugin(
      {
        name,
        version,
        pattern,
        timeoutMs,
        getSecrets: (asked, context) => this.#ask([asked], context),
        getMany: (asked, context) => this.#ask(asked, context),
        listIds: (context) => this.#inner.listIds(context),
        close: () => this.#close(),
      },
      true,
    )
  }

  /** Makes the store that the configuration chooses. It is opened with the first request. */
  static async create(config: Config, clock: Clock = systemClock): Promise<HeldStore> {
    const store = new HeldStore(config, clock)
    await store.#find()
    return store
  }

  /** Which store it is. */
  get place(): StorePlace {
    return this.#place
  }

  /** Whether the encrypted file has to be unlocked. Undefined for a keychain, and where the key cannot be read. */
  async isLocked(): Promise<boolean | undefined> {
    if (this.#place.kind !== 'file') return undefined
    if (this.#given !== undefined || configuredPassphrase(this.#config.passphraseFile?.value) !== undefined)
      return false
    try {
      using store = await openStore(this.#options())
      return (await store.describe()).locked
    } catch {
      return undefined // a request says why
    }
  }

  /**
   * Opens the encrypted file with a passphrase, and keeps a copy of that. Of an OS keychain, has the system ask for it.
   * @throws `SE_WRONG_KEY`; what the store does.
   */
  async unlock(passphrase: Secret): Promise<void> {
    const copy = secretFromHandle('passphrase', unwrap(handleOf(passphrase).duplicate()))
    const source: PassphraseSource = { ask: () => copy, tries: 1, hint: 'type it again: se unlock' }
    try {
      using store = await openStore({ ...this.#options(), passphrase: source })
      await store.list('**', { times: false })
    } catch (error) {
      copy.dispose()
      throw error
    }
    const before = this.#given
    this.#given = copy
    await this.#replace()
    before?.dispose()
  }

  /**
   * Forgets the passphrase that was given. What runs finishes.
   * @throws `SE_STORE_UNAVAILABLE` when what was opened before could not be closed in time. It is not used any more.
   */
  async lock(): Promise<void> {
    if (!(await this.#forget())) throw notClosed(this.#place)
  }

  /** Uses another configuration from now on. */
  async reconfigure(config: Config): Promise<void> {
    const changed = storeKey(config) !== storeKey(this.#config)
    this.#config = config
    if (!changed) return
    // Requests wait for the new store, and need not wait for the old one to close.
    void this.#forget()
    await this.#find()
  }

  async #ask(asked: readonly Pattern[], context: PluginContext): Promise<Iterable<Answer>> {
    const inner = this.#inner
    try {
      return await inner.getMany(asked, context)
    } catch (error) {
      // Another store has taken its place before it was asked.
      const isClosed = SecretsError.is(error) && error.code === 'SE_DISPOSED' && inner !== this.#inner
      if (isClosed) return this.#inner.getMany(asked, context)
      throw error
    }
  }

  async #find(): Promise<void> {
    const probe = async (): Promise<string> => unwrap(await native().probeKeychain())
    const begin = () => chooseStore({}, probe, this.#config)
    try {
      const chosen = await wait({ what: 'looking for the keychain', begin }, { timeoutMs: PROBE_TIMEOUT_MS })
      const location =
        chosen.kind === 'file' ? chosen.path : chosen.because.from === 'probe' ? chosen.because.answered : ''
      this.#place = { kind: chosen.kind, location }
    } catch {
      this.#place = { kind: '', location: '' } // a request says why
    }
  }

  #options(): StoreOptions {
    const { store, storePath, identity } = this.#config
    return { kind: store?.value ?? 'auto', path: storePath.value, identity: identity.value }
  }

  #open(): Inner {
    const passphrase = this.#passphrase()
    return keychain({ ...this.#options(), passphrase, timeoutMs: this.#config.timeoutMs?.value }) as Inner
  }

  /** Asks nobody: a daemon has no terminal. */
  #passphrase(): PassphraseSource {
    const configured = configuredPassphrase(this.#config.passphraseFile?.value)
    const ask = (): ReturnType<PassphraseSource['ask']> => {
      if (this.#given !== undefined) return this.#given
      if (configured !== undefined) return configured.ask(0)
      throw locked(this.#place)
    }
    return { ask, tries: 1, hint: configured?.hint ?? 'it has another passphrase since: se unlock' }
  }

  async #forget(): Promise<boolean> {
    const before = this.#given
    this.#given = undefined
    const closed = await this.#replace()
    before?.dispose()
    return closed
  }

  /** Opens it anew from now on. @returns whether what was opened before is closed: a keychain may hang as it is opened. */
  #replace(): Promise<boolean> {
    const before = this.#inner
    this.#inner = this.#open()
    return this.#closed(before)
  }

  #closed(inner: Inner): Promise<boolean> {
    return within(this.#clock, PLUGIN_TIMEOUT_MS, Promise.resolve(inner.close()))
  }

  async #close(): Promise<void> {
    await this.#closed(this.#inner)
    this.#given?.dispose()
    this.#given = undefined
  }
}

/** What makes one store another. */
function storeKey({ store, storePath, identity, passphraseFile, timeoutMs }: Config): string {
  return JSON.stringify([store, storePath, identity, passphraseFile, timeoutMs].map((setting) => setting?.value))
}

function notClosed({ location }: StorePlace): SecretsError {
  const message = `the store does not answer: what waits for it could not be ended within ${PLUGIN_TIMEOUT_MS / 1000} s`
  return createError('SE_STORE_UNAVAILABLE', message, {
    hint: 'the passphrase is forgotten all the same; see what keeps the keychain, such as a prompt that is open somewhere',
    details: { location, timeoutMs: PLUGIN_TIMEOUT_MS },
  })
}

function locked({ location }: StorePlace): SecretsError {
  return createError('SE_LOCKED', `the encrypted file ${location} is locked`, {
    hint: 'give the daemon its passphrase: se unlock',
    details: { location },
  })
}
