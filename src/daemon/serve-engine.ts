/** What `serve` loads when it is called. */
import { readConfig } from '../config/config.js'
import type { LocalEngine } from '../engine/engine.js'
import { createError } from '../errors/secrets-error.js'
import { AccessGate } from '../plugin-host/access-gate.js'
import { hijackHandler } from '../plugin-host/hijack.js'
import { PluginStates } from '../plugin-host/plugin-states.js'
import type { PluginSession } from '../session/plugin-session.js'
import { VERSION } from '../version.js'
import { type Daemon, startDaemon } from './daemon.js'
import { listenOn } from './listen.js'
import { type DaemonLog, pluginLogger } from './log.js'

const SILENT: DaemonLog = { request() {}, event() {} }

/** Serves an engine of a program's own at an address. */
export async function serveEngine(engine: LocalEngine, address: string): Promise<Daemon> {
  const uid = process.getuid?.() ?? 0
  const { file, paths } = await readConfig()
  const listener = listenOn(address, uid)
  const startedAt = new Date()
  return startDaemon({
    engine,
    log: SILENT,
    listeners: [listener],
    allowedUids: [uid, 0],
    describe: () => ({
      version: `v${VERSION}`,
      pid: process.pid,
      startedAt,
      addresses: [address],
      configFile: file,
      storeKind: '',
      storeLocation: '',
    }),
    async unlock() {
      throw createError('SE_UNSUPPORTED', 'the engine is a program’s own, and has no passphrase of ours')
    },
    lock: async () => engine.dropCache(),
    onHijack: hijackHandler(engine, pluginLogger(SILENT), {
      gate: new ClosedGate(),
      states: new PluginStates(paths.pluginStateFile),
    }),
  })
}

/** The engine was made without asking modules that decide about access: none may believe that it is asked. */
class ClosedGate extends AccessGate {
  override addSession(session: PluginSession): void {
    session.close()
  }
}
