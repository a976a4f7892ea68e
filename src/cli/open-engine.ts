/** Opens the engine that a command asks: the daemon's, where one runs, else one in this process, with questions at the terminal. */
import { readConfig } from '../config/config.js'
import type { Engine } from '../engine/engine.js'
import type { Context } from './command.js'

/**
 * An engine, and how long its requests may take.
 * @param context.flags - Those of a command that has `--no-daemon`.
 */
export async function openCliEngine({
  env,
  flags,
}: Pick<Context, 'env' | 'flags'>): Promise<{ engine: Engine; timeoutMs: number | undefined }> {
  const finder = flags.has('no-daemon') ? undefined : await import('../client/find-daemon.js')
  // The configuration is read while the daemon says what it is.
  const [daemon, config] = await Promise.all([finder?.findDaemon(env), readConfig(env)])
  const timeoutMs = config.timeoutMs?.value
  if (daemon !== undefined) return { engine: daemon, timeoutMs }
  const [{ openLocalEngine }, { knownPassphrase }] = await Promise.all([
    import('../client/local-engine.js'),
    import('./passphrase.js'),
  ])
  const passphrase = knownPassphrase(config.passphraseFile?.value)
  return { engine: await openLocalEngine(env, { passphrase, timeoutMs }, config), timeoutMs }
}
