import { spawnSync } from 'node:child_process'

/**
 * Whether a program is there that a test looks with. Where `SE_REQUIRE` is set, as in CI, a missing one fails instead.
 */
export function hasProgram(name: string): boolean {
  const found = process.platform === 'linux' && spawnSync('sh', ['-c', `command -v ${name}`]).status === 0
  if (!found && process.env['SE_REQUIRE'] !== undefined) throw new Error(`${name} is required`)
  return found
}

/** Whether a program of another user can be started here. */
export function canBecomeAnother(): boolean {
  return process.getuid?.() === 0 && hasProgram('setpriv')
}

/** Whether a program can be started with these flags of `unshare`. */
export function canUnshare(...flags: readonly string[]): boolean {
  return spawnSync('unshare', [...flags, 'true']).status === 0
}
