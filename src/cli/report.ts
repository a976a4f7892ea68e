/** Failures for people: the problem, then the hint, on standard error; and the exit status they end with. */
import { CODES } from '../errors/codes.js'
import { createError, SecretsError } from '../errors/secrets-error.js'
import type { Command, Output } from './command.js'
import { usageLines } from './help.js'
import { hintOf } from './hints.js'
import { UsageError } from './usage-error.js'

/** The exit status of a wrong use. */
export const USAGE_STATUS = 2

/**
 * Prints a failure.
 * @param error - What was thrown.
 * @param stderr - Where it goes.
 * @param command - The command that failed, for its usage line.
 * @returns The exit status.
 */
export function report(error: unknown, stderr: Output, command?: Command): number {
  if (error instanceof UsageError) {
    printProblem(stderr, error.message, error.hint)
    const shown = error.command ?? command
    const usage = shown === undefined ? ['se COMMAND [ARGUMENTS]'] : usageLines(shown)
    stderr.write(usage.map((line) => `usage: ${line}\n`).join(''))
    return USAGE_STATUS
  }
  if (SecretsError.is(error)) {
    printError(stderr, error)
    return CODES[error.code].exit
  }
  const name = error instanceof Error ? error.name : 'Error'
  printProblem(stderr, `a fault of se itself (${name})`, 'please report it, with the command but without any value')
  return 1
}

/** Prints an error, with its hint in words of the command line. */
export function printError(stderr: Output, error: SecretsError): void {
  printProblem(stderr, error.message, hintOf(error))
  const { kept } = error.details
  if (typeof kept === 'string') printHint(stderr, `what you wrote is in ${kept}: take it from there, then remove it`)
}

/** The error for standard output that could not be written, in the words that the native part has for the same. */
export function outputFailure(cause: Error): SecretsError {
  const reason = cause.message.replace(/^\w+: /, '').replace(/, write$/, '')
  return createError('SE_OUTPUT_FAILURE', `standard output cannot be written: ${reason}`, { cause })
}

/** Prints a problem line and its hint. */
export function printProblem(stderr: Output, problem: string, hint?: string): void {
  const [start, end] = stderr.hasColour ? ['\u001b[31m', '\u001b[39m'] : ['', '']
  stderr.write(`${start}se:${end} ${problem}\n`)
  if (hint !== undefined) printHint(stderr, hint)
}

/** Prints a hint. */
export function printHint(stderr: Output, hint: string): void {
  stderr.write(`hint: ${hint}\n`)
}
