import type { Command } from './command.js'

/**
 * A wrong use of the command line: exit status 2. What was typed may be a value put in the wrong place, so messages name
 * what was expected and quote only words that look like the name of a command or flag.
 */
export class UsageError extends Error {
  /** What to type instead. */
  readonly hint: string | undefined
  /** Whose usage is shown, when that is not the command that runs. */
  readonly command: Command | undefined

  /**
   * @param message - What is wrong, one sentence without a full stop.
   * @param hint - What to type instead.
   * @param command - Whose usage is shown, when that is not the command that runs.
   */
  constructor(message: string, hint?: string, command?: Command) {
    super(message)
    this.name = 'UsageError'
    this.hint = hint
    this.command = command
  }
}
