import { type Pattern, parsePattern } from '../pattern.js'

let hidden: Pattern | undefined

/**
 * Whether an id is in the realm of the engine itself, which is never handed to callers: credentials of plugins are kept
 * there.
 */
export function isHidden(id: string): boolean {
  hidden ??= parsePattern('docker/secrets-engine/**')
  return hidden.matches(id)
}
