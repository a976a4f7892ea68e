// Programs that run as another user of the machine. Linux only.
import { spawnSync } from 'node:child_process'

/** A user who owns nothing: nobody. */
export const FOREIGN_UID = 65534

const setpriv = ['setpriv', `--reuid=${FOREIGN_UID}`, `--regid=${FOREIGN_UID}`, '--clear-groups', '--']
const prefix = process.getuid?.() === 0 ? setpriv : ['sudo', '-n', ...setpriv]

/**
 * The words to put before a program and its arguments, so that it runs as that user. Nothing where this user may not do
 * so; where `SE_REQUIRE` is set, as in CI, that fails instead.
 */
export function asForeigner(): readonly string[] | undefined {
  const [file = '', ...args] = prefix
  const works = process.platform === 'linux' && spawnSync(file, [...args, 'true']).status === 0
  if (!works && process.env['SE_REQUIRE'] !== undefined) throw new Error(`${prefix.join(' ')} is required`)
  return works ? prefix : undefined
}
