// Programs that run as another user of the machine. Linux only.
import { spawnSync } from 'node:child_process'

/** A user who owns nothing: nobody. */
export const FOREIGN_UID = 65534

const sudo = process.getuid?.() === 0 ? [] : ['sudo', '-n']

/**
 * The words to put before a program and its arguments, so that it runs as that user. Nothing where this user may not do
 * so; where `SE_REQUIRE` is set, as in CI, that fails instead.
 */
export function asForeigner(uid = FOREIGN_UID): readonly string[] | undefined {
  return prefix([...sudo, 'setpriv', `--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--'])
}

/** The words to put before a program and its arguments, so that it runs as root, which is none for root. As above. */
export function asRoot(): readonly string[] | undefined {
  return prefix(sudo)
}

function prefix(words: readonly string[]): readonly string[] | undefined {
  const [file = '', ...args] = [...words, 'true']
  const works = process.platform === 'linux' && spawnSync(file, args).status === 0
  if (!works && process.env['SE_REQUIRE'] !== undefined) throw new Error(`${words.join(' ')} is required`)
  return works ? words : undefined
}
