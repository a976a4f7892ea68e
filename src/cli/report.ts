/** Failures for people: the problem, then the hint, on standard error; and the exit status they end with. */
import type { Command, Output } from './command.js'
import { usageLines } from './help.js'
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
export async function report(error: unknown, stderr: Output, command?: Command): Promise<number> {
  if (error instanceof UsageError) {
    printProblem(stderr, error.message, error.hint)
    const usage = command === undefined ? ['se COMMAND [ARGUMENTS]'] : usageLines(command)
    stderr.write(usage.map((line) => `usage: ${line}\n`).join(''))
    return USAGE_STATUS
  }
  if (error instanceof Error && 'code' in error && String(error.code).startsWith('SE_')) {
    printProblem(stderr, error.message, 'hint' in error ? String(error.hint) : undefined)
    return 1
  }
  const name = error instanceof Error ? error.name : 'Error'
  printProblem(stderr, `a fault of se itself (${name})`, 'please report it, with the command but without any value')
  return 1
}

/** Prints a problem line and its hint. */
export function printProblem(stderr: Output, problem: string, hint?: string): void {
  const [start, end] = stderr.hasColour ? ['\u001b[31m', '\u001b[39m'] : ['', '']
  stderr.write(`${start}se:${end} ${problem}\n${hint === undefined ? '' : `hint: ${hint}\n`}`)
}
