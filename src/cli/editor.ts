/** The user's editor. */
import { spawnSync } from 'node:child_process'
import { createError } from '../errors/secrets-error.js'

/**
 * Runs $VISUAL, else $EDITOR, else vi, on a file, and waits for its end. The variables hold shell words, such as
 * `code --wait`. The passphrase of the store is kept from it.
 * @throws `SE_UNSUPPORTED` when the editor cannot be started or fails.
 */
export function runEditor(env: NodeJS.ProcessEnv, path: string): void {
  const editor = env['VISUAL'] || env['EDITOR'] || (process.platform === 'win32' ? 'notepad' : 'vi')
  const own = Object.fromEntries(Object.entries(env).filter(([name]) => !/^SE_.*PASSPHRASE/.test(name)))
  const { status, signal, error } =
    process.platform === 'win32'
      ? spawnSync(`${editor} "${path}"`, { stdio: 'inherit', env: own, shell: true })
      : spawnSync('/bin/sh', ['-c', `exec ${editor} "$1"`, 'sh', path], { stdio: 'inherit', env: own })
  if (status === 0) return
  const how = error === undefined ? `ended with ${signal ?? status}` : 'could not be started'
  throw createError('SE_UNSUPPORTED', `the editor ${how}; nothing was changed`, {
    hint: 'name another one in VISUAL or EDITOR',
  })
}
