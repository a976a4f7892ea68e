/** Whether nobody else could have written the part of `config.toml` that runs programs and lets users in. */
import type { Stats } from 'node:fs'
import { createError } from '../errors/secrets-error.js'

const GROUP_OR_OTHERS_WRITE = 0o022

/**
 * Refuses a file that others than this user and root may write. Windows has no modes.
 * @param stat - Of the file as it was read.
 * @throws `AccessError` `SE_LAX_MODE` with the command that mends it.
 */
export function checkOwner(file: string, stat: Stats): void {
  const uid = process.getuid?.()
  if (uid === undefined) return
  const refuse = (why: string, hint: string): never => {
    const message = `${file} says which programs run and who may ask, and ${why}`
    throw createError('SE_LAX_MODE', message, { hint, details: { path: file, mode } })
  }
  const mode = (stat.mode & 0o7777).toString(8).padStart(4, '0')
  if (stat.uid !== uid && stat.uid !== 0) {
    refuse(`belongs to the user ${stat.uid}`, 'see what it holds; then put a file of your own in its place')
  }
  if ((stat.mode & GROUP_OR_OTHERS_WRITE) !== 0) {
    refuse(`others can write to it (mode ${mode})`, `see what it holds; then: chmod go-w ${file}`)
  }
}
