/**
 * Where daemons listen: paths of Unix sockets, and names that begin with `@` in Linux's abstract space. Only names them:
 * nothing is looked at.
 */
import { posix } from 'node:path'
import { absolutePath, type PathBase, pathBase } from '../config/paths.js'
import { createError } from '../errors/secrets-error.js'

/** The longest path of a socket in bytes, on the system that allows least (macOS; Linux: 107). */
export const MAX_SOCKET_PATH_BYTES = 103

/**
 * Our daemon's own address: `se-native/daemon.sock` in `XDG_RUNTIME_DIR`, else in the user's cache folder where that is
 * not set or its path would be too long. Whether `SE_SOCKET` names another is {@link dialledAddress}'s question.
 */
export function daemonAddress(env: NodeJS.ProcessEnv = process.env): string {
  const base = pathBase(env)
  const runtime = absoluteVariable(env['XDG_RUNTIME_DIR'])
  const own = runtime === undefined ? undefined : posix.join(runtime, 'se-native', 'daemon.sock')
  if (own !== undefined && Buffer.byteLength(own) <= MAX_SOCKET_PATH_BYTES) return own
  return posix.join(cacheFolder(base), 'se-native', 'daemon.sock')
}

/** What a client of ours dials: `SE_SOCKET` where that is set, else {@link daemonAddress}. */
export function dialledAddress(env: NodeJS.ProcessEnv = process.env): string {
  const named = env['SE_SOCKET']
  if (named === undefined || named === '') return daemonAddress(env)
  return socketAddress(named, process.cwd(), env)
}

/**
 * An address as it is used: a name that begins with `@` as it is, a path made absolute.
 * @param from - Where a relative path begins.
 */
export function socketAddress(text: string, from: string, env: NodeJS.ProcessEnv = process.env): string {
  return text.startsWith('@') ? text : absolutePath(text, from, pathBase(env))
}

/**
 * Where Docker's client and plugins look for their daemon.
 * @see github.com/docker/secrets-engine/x/api `DaemonSocketPath`
 */
export function dockerDaemonAddress(
  uid: number = process.getuid?.() ?? 0,
  env: NodeJS.ProcessEnv = process.env,
): string {
  const base = pathBase(env)
  if (base.platform !== 'darwin') return `@docker-secrets-engine/${uid}/daemon.sock`
  return posix.join(cacheFolder(base), 'docker-secrets-engine', 'daemon.sock')
}

/** Where `docker pass run` looks for the engine. */
export function dockerEngineAddress(env: NodeJS.ProcessEnv = process.env): string {
  return posix.join(cacheFolder(pathBase(env)), 'docker-secrets-engine', 'engine.sock')
}

/**
 * Where a daemon listens: where its configuration says, else on what our clients dial, on Docker's daemon address and on
 * Docker's engine socket. None twice.
 * @param config.addresses - Absolute paths and `@` names.
 * @throws `InvalidInputError` `SE_INVALID_CONFIG` when the configuration names none.
 */
export function listenAddresses(
  config: { readonly addresses?: readonly string[] | undefined } = {},
  env: NodeJS.ProcessEnv = process.env,
): [string, ...string[]] {
  const { addresses = [dialledAddress(env), dockerDaemonAddress(undefined, env), dockerEngineAddress(env)] } = config
  const [first, ...others] = new Set(addresses)
  if (first !== undefined) return [first, ...others]
  throw createError('SE_INVALID_CONFIG', 'the daemon has no address to listen on', {
    hint: 'name one with addresses in config.toml, or leave that out',
  })
}

/** As Go's `os.UserCacheDir`, since Docker's programs ask that. */
function cacheFolder({ env, platform, home }: PathBase): string {
  if (platform === 'darwin') return posix.join(home, 'Library', 'Caches')
  return absoluteVariable(env['XDG_CACHE_HOME']) ?? posix.join(home, '.cache')
}

/** An empty or relative XDG variable counts as unset, as its specification says. */
function absoluteVariable(value: string | undefined): string | undefined {
  return value !== undefined && posix.isAbsolute(value) ? value : undefined
}
