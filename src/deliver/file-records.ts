// Where it is noted which files at paths a running command has, for those who remove them after a crash.
import { dirname, join } from 'node:path'
import { daemonAddress } from '../daemon/addresses.js'

/** The folder of the notes: beside the daemon's socket, in `XDG_RUNTIME_DIR` or the cache folder. */
export function recordFolder(env: NodeJS.ProcessEnv = process.env): string {
  return join(dirname(daemonAddress(env)), 'files')
}
