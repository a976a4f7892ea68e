import type { PluginKind } from '../engine/engine.js'
import { createError, type SecretsError } from '../errors/secrets-error.js'
import type { RegisterPluginRequest } from '../gen/plugins/v1/plugins_pb.js'
import { type Pattern, parsePattern } from '../pattern.js'
import { quote } from '../quote.js'

export type { PluginKind }

/** How a plugin describes itself. */
export interface Registration {
  /** Letters, digits, `.`, `_` and `-`, at most 128. */
  readonly name: string
  /** A semantic version with a leading `v`, of three numbers. */
  readonly version: string
  readonly kind: PluginKind
  /** Which ids it answers for; none for access control. */
  readonly pattern: Pattern | undefined
}

const NAME = /^[A-Za-z0-9._-]{1,128}$/
// As Go's semver.IsValid, which knows `v1` and `v1.2` as well.
const NUMBER = '(?:0|[1-9]\\d*)'
const LABELS = '[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*'
const VERSION = new RegExp(`^v(${NUMBER})(?:\\.(${NUMBER})(?:\\.(${NUMBER})(-${LABELS})?(\\+${LABELS})?)?)?$`)
const MAX_VERSION = 128

/**
 * Checks what a plugin says of itself.
 * @param expectName - The name that it was launched with, which it may not change.
 * @throws `PluginError` `SE_PLUGIN_INVALID`; `InvalidInputError` `SE_INVALID_PATTERN`. Both are `invalid_argument` on the wire.
 */
export function checkRegistration(request: RegisterPluginRequest, expectName: string | undefined): Registration {
  const { name, version, metadata } = request
  if (!NAME.test(name)) {
    throw invalid(`the name ${quote(name)} of a plugin must be 1 to 128 letters, digits, dots, underscores and hyphens`)
  }
  if (expectName !== undefined && name !== expectName) {
    throw invalid(`a plugin that was launched as ${expectName} must not register as ${name}`)
  }
  const numbers = version.length > MAX_VERSION ? null : VERSION.exec(version)
  if (numbers === null) throw invalid(`the version ${quote(version)} of the plugin ${name} must be like v1.0.0`)
  const [, major, minor = '0', patch = '0', pre = '', build = ''] = numbers
  const described = { name, version: `v${major}.${minor}.${patch}${pre}${build}` }
  if (metadata.case === 'accessControlModule') return { ...described, kind: 'access control', pattern: undefined }
  if (metadata.case !== 'secretsProvider') {
    throw invalid(`the plugin ${name} says neither that it provides secrets nor that it controls access`)
  }
  return { ...described, kind: 'secrets', pattern: parsePattern(metadata.value.pattern) }
}

function invalid(message: string): SecretsError {
  return createError('SE_PLUGIN_INVALID', message)
}
