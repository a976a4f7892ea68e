/**
 * Chooses the store: an option, else `SE_STORE`, else `store` in `config.toml`, else the OS keychain when it answers, else
 * none. What was chosen is never overridden, so nothing is ever written to a weaker place by itself.
 * @see docs/decisions/2026-11-22-store-choice.md
 */
import { createError } from '../errors/secrets-error.js'
import { type Config, describeOrigin, identityBeside, type Origin, readConfig } from './config.js'
import { absolutePath, pathBase } from './paths.js'
import type { StoreKind } from './settings.js'

/** What a caller may ask for. */
export interface StoreRequest {
  /** Which store; `auto`, or nothing, means the rules above. */
  readonly kind?: 'auto' | StoreKind | undefined
  /** The encrypted file, instead of the configured one. */
  readonly path?: string | undefined
  /** Its key, instead of the configured one; beside `path` by default. */
  readonly identity?: string | undefined
}

/** The store to open, and why. */
export type ChosenStore =
  | { readonly kind: 'keychain'; readonly because: Origin | { readonly from: 'probe'; readonly answered: string } }
  | ({ readonly kind: 'file'; readonly because: Origin } & FilePlace)

/** Where the encrypted file and its key are. */
export interface FilePlace {
  readonly path: string
  readonly identity: string
  /** A file with the passphrase of the key, when one is named. */
  readonly passphraseFile: string | undefined
}

/**
 * Asks whether an OS keychain would answer, without starting, unlocking or asking anything: its name, or a rejection
 * with the reason.
 */
export type KeychainProbe = () => Promise<string>

/**
 * Chooses the store.
 * @param request - What the caller asks for.
 * @param probe - Asks the OS keychain; called only when nothing was chosen.
 * @param config - The configuration; this process's by default.
 * @throws `SE_STORE_UNAVAILABLE` when nothing was chosen and no keychain answers, with the reason as its cause and the
 * command that mends it as its hint; what `readConfig` throws.
 */
export async function chooseStore(request: StoreRequest, probe: KeychainProbe, config?: Config): Promise<ChosenStore> {
  const configured = config ?? (await readConfig())
  const asked = request.kind === 'auto' ? undefined : request.kind
  const kind = asked ?? configured.store?.value
  if (kind === undefined)
    return { kind: 'keychain', because: { from: 'probe', answered: await ask(probe, configured) } }
  const because: Origin =
    asked === undefined && configured.store !== undefined ? configured.store.origin : { from: 'option' }
  return kind === 'keychain' ? { kind, because } : { kind, because, ...filePlace(request, configured) }
}

/** Where the encrypted file is, for a request: its own path, else the configured one. */
export function filePlace(request: StoreRequest, config: Config): FilePlace {
  const absolute = (path: string): string => absolutePath(path, process.cwd(), pathBase())
  const path = request.path === undefined ? undefined : absolute(request.path)
  const beside = path === undefined ? config.identity.value : identityBeside(path)
  return {
    path: path ?? config.storePath.value,
    identity: request.identity === undefined ? beside : absolute(request.identity),
    passphraseFile: config.passphraseFile?.value,
  }
}

/** Why a store was chosen, in words for a person. */
export function describeChoice(chosen: ChosenStore): string {
  const { because } = chosen
  if (because.from === 'probe') return 'by default, since it answers'
  if (because.from === 'option') return 'by --store'
  return because.from === 'file' ? `by the key ${describeOrigin(because)}` : `by ${describeOrigin(because)}`
}

async function ask(probe: KeychainProbe, config: Config): Promise<string> {
  try {
    return await probe()
  } catch (cause) {
    const reason = cause instanceof Error ? `: ${cause.message}` : ''
    throw createError('SE_STORE_UNAVAILABLE', `no store was chosen, and no OS keychain answers${reason}`, {
      hint: 'keep secrets in an encrypted file: se store use file',
      details: { config: config.file },
      cause,
    })
  }
}
