/** Has a daemon that runs read its configuration again. */
import type { Context } from './command.js'
import { printHint } from './report.js'

/**
 * Tells the daemon that reads this file, where one runs: by SIGHUP, since only its user may. What keeps it from being told
 * is said, and is no failure: the file is written.
 */
export async function tellDaemon({ env, stderr }: Pick<Context, 'env' | 'stderr'>, file: string): Promise<void> {
  if (process.platform === 'win32') return
  try {
    const { findDaemon } = await import('../client/find-daemon.js')
    const daemon = await findDaemon(env)
    if (daemon === undefined) return
    const { pid, configFile } = await daemon.describe({ timeoutMs: 1000 }).finally(() => daemon.close())
    if (configFile !== file) return
    process.kill(pid, 'SIGHUP')
    stderr.write('The daemon reads it again.\n')
  } catch {
    printHint(stderr, 'a daemon seems to run and was not told: se daemon stop, then se daemon start')
  }
}
