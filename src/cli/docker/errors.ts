/** Failures in the words of `docker pass`, which scripts compare: bare on standard error. */
import { SecretsError } from '../../errors/secrets-error.js'
import type { Output } from '../command.js'
import { hintOf } from '../hints.js'
import { printHint } from '../report.js'
import { DockerUsageError } from './arguments.js'

const ID_EXPRESSION = '^[A-Za-z0-9._:-]+(?:/[A-Za-z0-9._:-]+)*$'

/** The error for a text that is no id. */
export function invalidIdentifier(text: string): DockerUsageError {
  return new DockerUsageError(`invalid identifier: ${JSON.stringify(text)} must match ${ID_EXPRESSION}`)
}

/**
 * Prints a failure: Docker's words alone where it has some; else ours, with what to do.
 * @param before - What stands before it, such as `resolving TOKEN: `.
 */
export function printDockerError(stderr: Output, error: unknown, before = ''): void {
  if (error instanceof DockerUsageError) {
    stderr.write(`${before}${error.message}\n`)
    return
  }
  if (!SecretsError.is(error)) {
    const name = error instanceof Error ? error.name : 'Error'
    stderr.write(`${before}a fault of se itself (${name})\n`)
    return
  }
  const text = dockerText(error)
  stderr.write(`${before}${text ?? error.message}\n`)
  const hint = error.code === 'SE_NOT_UNIQUE' ? error.message : hintOf(error)
  if (hint !== undefined && (text === undefined || error.code === 'SE_NOT_UNIQUE')) printHint(stderr, hint)
}

function dockerText({ code, details }: SecretsError): string | undefined {
  const { answers, reference } = details
  const wanted = typeof reference === 'string' ? reference.replace(/^se:\/\//, '') : ''
  switch (code) {
    case 'SE_NOT_FOUND':
      return 'secret not found'
    case 'SE_NOT_UNIQUE':
      return `${Array.isArray(answers) ? answers.length : 'several'} secrets matched ${wanted}`
    case 'SE_INVALID_REFERENCE':
      return invalidIdentifier(wanted).message
    default:
      return undefined
  }
}
