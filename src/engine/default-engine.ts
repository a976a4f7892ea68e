import { Client } from '../client/client.js'
import { findDaemon, isAbsent } from '../client/find-daemon.js'
import type { Engine } from './engine.js'

let opened: Promise<Engine> | undefined

/**
 * The engine that is used where none is given: the daemon's, where one runs, else one in this process with the plugins
 * that the daemon would have. Chosen when first needed, and again when the daemon has ended.
 * @throws what `findDaemon` does; the next call tries again.
 */
export async function defaultEngine(): Promise<Engine> {
  const before = opened
  const engine = await before
  if (engine instanceof Client && (engine.lost || isAbsent(engine.address)) && opened === before) {
    opened = undefined
    await engine.close()
  }
  opened ??= choose().catch((error: unknown) => {
    opened = undefined
    throw error
  })
  return opened
}

async function choose(): Promise<Engine> {
  const daemon = await findDaemon(process.env)
  return daemon ?? (await import('../client/local-engine.js')).openLocalEngine(process.env)
}
