// What a plugin failed with, as the engine tells it.
import { CODES } from '../errors/codes.js'
import { createError, SecretsError } from '../errors/secrets-error.js'
import type { OutcomeStatus } from './engine.js'
import type { Plugin } from './plugin.js'

/**
 * Names the plugin in its error. A foreign error may quote anything in its message: only its code is shown, itself it
 * stays the cause.
 */
export function failureOf({ name, builtIn }: Plugin, error: unknown): SecretsError {
  if (SecretsError.is(error) && error.code in CODES) {
    const details = { ...error.details, plugin: name }
    const message = builtIn ? error.message : `${name}: ${error.message}`
    return createError(error.code, message, { hint: error.hint, details, cause: error })
  }
  const code = (error as { code?: unknown } | null)?.code
  const shown = typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,40}$/.test(code) ? ` (${code})` : ''
  return createError('SE_PLUGIN_FAILURE', `the plugin ${name} failed${shown}`, {
    hint: 'its own error is the cause of this one',
    details: { plugin: name },
    cause: error,
  })
}

/** The failure of a plugin that took too long. */
export function tooSlow({ name }: Plugin, timeoutMs: number): SecretsError {
  return createError('SE_TIMEOUT', `the plugin ${name} took longer than ${timeoutMs} ms and was abandoned`, {
    hint: 'a prompt may be open somewhere; a plugin has a limit of its own with `timeoutMs`',
    details: { abandoned: `asking the plugin ${name}`, timeoutMs, plugin: name },
  })
}

/** What a failure is called among outcomes. */
export function statusOf({ code }: SecretsError): OutcomeStatus {
  if (code === 'SE_TIMEOUT') return 'timed out'
  return code === 'SE_ACCESS_DENIED' || code === 'SE_PROMPT_DISMISSED' ? 'refused' : 'failed'
}
