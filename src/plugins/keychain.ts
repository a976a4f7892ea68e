import { throwIfAborted } from '../engine/late-signal.js'
import { makePlugin, type Plugin, type PluginContext } from '../engine/plugin.js'
import { isId } from '../id.js'
import type { Pattern } from '../pattern.js'
import { addFacts, type Secret } from '../secret.js'
import { openStore, type StoreOptions } from '../store/open-store.js'
import type { SecretInfo, Store } from '../store/store.js'

/** A store that is open already, and stays the caller's to close. */
export interface OpenStore {
  /** The store. */
  readonly store: Store
}

/** Which store the plugin answers from: an open one, or how to open it. */
export type KeychainOptions = OpenStore | StoreOptions

// A person may be looking for a passphrase.
const PROMPT_TIMEOUT_MS = 300_000

/**
 * The built-in plugin: answers for every id from the chosen store, which it opens when it is asked for the first time.
 * Its name is `docker-pass`, as it is for programs that speak to Docker's engine.
 * @param options - A store that is open already; or options of `openStore`, whose `timeoutMs` is the plugin's limit, too (five
 *   minutes by default).
 */
export function keychain(options: KeychainOptions = {}): Plugin {
  const given = 'store' in options ? options.store : undefined
  const timeoutMs = 'store' in options ? undefined : options.timeoutMs
  let opening: Promise<Store> | undefined
  const open = (): Promise<Store> => {
    if (given !== undefined) return Promise.resolve(given)
    opening ??= openStore(options as StoreOptions).catch((error: unknown) => {
      opening = undefined
      throw error
    })
    return opening
  }
  const getMany = async (patterns: readonly Pattern[], context: PluginContext) => {
    const store = await open()
    const wanted = await oneSelection(store, patterns)
    // What comes after nobody waits any more is wiped by the engine; nothing new is begun then.
    throwIfAborted(context)
    const secrets = await store.getMany(wanted)
    try {
      if (context.times && secrets.some(({ createdAt }) => createdAt === undefined)) {
        const [only, ...more] = patterns
        addTimes(secrets, await store.list(more.length === 0 ? only?.text : '**'))
      }
      return secrets
    } catch (error) {
      for (const secret of secrets) secret.dispose()
      throw error
    }
  }
  return makePlugin(
    {
      name: 'docker-pass',
      version: 'v0.1.0',
      pattern: '**',
      timeoutMs: timeoutMs ?? PROMPT_TIMEOUT_MS,
      getSecrets: (pattern, context) => getMany([pattern], context),
      getMany,
      listIds: async ({ signal }) => (await (await open()).list('**', { signal, times: false })).map(({ id }) => id),
      close: async () => {
        const store = await opening?.catch(() => undefined)
        store?.close()
      },
    },
    true,
  )
}

function addTimes(secrets: readonly Secret[], infos: readonly SecretInfo[]): void {
  const times = new Map(infos.map(({ id, createdAt }) => [id, createdAt]))
  for (const secret of secrets) addFacts(secret, { createdAt: secret.createdAt ?? times.get(secret.id) })
}

/** All patterns as what one reading asks for: the pattern, where it is one, else ids, found in one listing. */
async function oneSelection(store: Store, patterns: readonly Pattern[]): Promise<string | readonly string[]> {
  const texts = patterns.map(({ text }) => text)
  if (!texts.some((text) => !isId(text))) return texts
  if (texts.length === 1) return texts[0] as string
  const listed = (await store.list('**', { times: false })).map(({ id }) => id)
  return listed.filter((id) => patterns.some((pattern) => pattern.matches(id)))
}
