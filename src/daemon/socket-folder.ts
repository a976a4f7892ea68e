/** The folder of a socket: made for this user alone, and refused where somebody else could put a socket of theirs there. */
import { chmodSync, lstatSync, mkdirSync, realpathSync, type Stats, statSync } from 'node:fs'
import { dirname } from 'node:path'
import { createError, type SecretsError } from '../errors/secrets-error.js'

const GROUP_OR_OTHERS_WRITE = 0o022
const OTHERS_WRITE = 0o002
const STICKY = 0o1000

/**
 * Makes the folder (0700) where it is not there. One that is there must belong to the user or to root, be written by
 * nobody else, and be reached by no link of somebody else; nor may others replace a folder above it.
 * @throws `DaemonError` `SE_SOCKET_UNSAFE` with the command that mends it; `SE_INVALID_CONFIG` when it cannot be made.
 */
export function secureFolder(folder: string, uid: number): void {
  const made = make(folder)
  if (made) chmodSync(folder, 0o700) // whatever the umask is
  const link = lstatSync(folder)
  if (!isTrusted(link, uid)) throw unsafe(folder, `belongs to the user ${link.uid}`, `remove it: rm -r ${folder}`)
  const real = realpathSync(folder)
  const stat = statSync(real)
  if (!stat.isDirectory()) throw unsafe(folder, 'is no folder', `remove it: rm ${folder}`)
  if (!isTrusted(stat, uid))
    throw unsafe(real, `belongs to the user ${stat.uid}`, 'name an address in a folder of your own')
  if ((stat.mode & GROUP_OR_OTHERS_WRITE) !== 0) {
    const hint =
      (stat.mode & STICKY) === 0 ? `chmod 700 ${real}` : 'name an address in a folder of your own, with the mode 0700'
    throw unsafe(real, 'may be written by others', hint)
  }
  for (let above = dirname(real); ; above = dirname(above)) {
    const { mode } = statSync(above)
    if ((mode & OTHERS_WRITE) !== 0 && (mode & STICKY) === 0) {
      throw unsafe(above, 'may be written by everybody', `chmod o-w ${above}`)
    }
    if (above === dirname(above)) return
  }
}

function make(folder: string): boolean {
  try {
    mkdirSync(dirname(folder), { recursive: true, mode: 0o700 })
    mkdirSync(folder, { mode: 0o700 })
    return true
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    if (code === 'EEXIST') return false
    throw createError(
      'SE_INVALID_CONFIG',
      `the folder ${folder} for a socket cannot be made (${code ?? 'unknown reason'})`,
      {
        hint: 'name another address with SE_SOCKET, or with addresses in config.toml',
        details: { folder },
        cause,
      },
    )
  }
}

function isTrusted(stat: Stats, uid: number): boolean {
  return stat.uid === uid || stat.uid === 0
}

function unsafe(path: string, what: string, hint: string): SecretsError {
  return createError('SE_SOCKET_UNSAFE', `no socket is made: ${path} ${what}`, { hint, details: { path } })
}
