/**
 * The shape of a command: tables that the parser, the help, the man page and the completions all read, and a `run`.
 * A command module imports at its top only types and what is small; the library and the addon are loaded in `run`.
 */

/** What the shell offers where a flag's value or an argument is typed. */
export type Completion = 'id' | 'plugin' | 'file'

/** A flag, such as `--force` or `--output FILE`. */
export interface Flag {
  /** The long name without its dashes. */
  readonly name: string
  /** One letter for a single dash. */
  readonly short?: string
  /** One line for the help, beginning in lower case, without a full stop. */
  readonly summary: string
  /** How the help names the value, such as `FILE`. A flag without it takes none. */
  readonly value?: string
  /** What the flag stands for alone. Its value is then attached by `=`, never the next word. */
  readonly bare?: string
  /** Whether it may be given several times. */
  readonly repeat?: boolean
  /** The only values that are allowed. */
  readonly choices?: readonly string[]
  /** The value is a whole number in this range, both ends included. */
  readonly integer?: { readonly min: number; readonly max: number }
  /** Flags that contradict this one. */
  readonly excludes?: readonly string[]
  /** Flags of which one must be given for this one to mean something. */
  readonly needs?: readonly string[]
  /** What the shell offers for the value: nothing by default. */
  readonly complete?: Completion
}

/** An argument that is not a flag. */
export interface Positional {
  /** How the help names it, such as `ID`. */
  readonly name: string
  /** Whether it may be left out. */
  readonly optional?: boolean
  /** Whether it may be given several times; only the last one of a command. */
  readonly repeat?: boolean
  /** The only words that are allowed. */
  readonly choices?: readonly string[]
  /** What the shell offers for it: nothing by default. */
  readonly complete?: Completion
}

/** A command line that teaches. */
export interface Example {
  /** What it does, in one line. */
  readonly note: string
  /** What to type. */
  readonly command: string
}

/** One command, such as `se set`, or one command of a command, such as `se store use`. */
export interface Command {
  /** The words after `se`, such as `set` or `store use`. */
  readonly name: string
  /** One line for the list of commands, without a full stop. */
  readonly summary: string
  /** What follows the name, a line for each form, such as `ID[=VALUE] [--force]`. */
  readonly usage: readonly string[]
  /** Paragraphs for `se help COMMAND` and the man page. */
  readonly description: readonly string[]
  /** The flags. `--help` is there by itself. */
  readonly flags: readonly Flag[]
  /** The arguments that are not flags. */
  readonly positionals: readonly Positional[]
  /** The hint when there are more arguments than that. */
  readonly extraHint?: string
  /**
   * Set for a command that names another one: flags end at `--` or at the first word that is none and no positional
   * either, and all that follows is {@link Context.rest}. The name is for the help; `optional` allows it to be empty.
   */
  readonly rest?: { readonly name: string; readonly optional?: boolean }
  /** Commands of this command, such as `use` for `store`. */
  readonly commands?: readonly CommandEntry[]
  /** Examples, the plainest first. */
  readonly examples: readonly Example[]
  /**
   * True when neither a store nor an engine is opened. For every other command this process is kept out of core dumps
   * and from other processes' eyes: to list an encrypted file is to decrypt it.
   */
  readonly storeless?: boolean
  /** Exit status when the command fails by itself: `run` uses 125. Left out, the error's own status is used. */
  readonly failureStatus?: number
  /**
   * Does the work. Answers with the exit status, nothing meaning 0. Throws {@link UsageError} for a wrong use,
   * a `SecretsError` for everything else that is expected.
   */
  run(context: Context): Promise<number | undefined>
}

/** A command's place in the table: its name and summary are known before its module is loaded. */
export interface CommandEntry {
  /** The last word of its name. */
  readonly name: string
  /** The same line as the command's own summary. */
  readonly summary: string
  /** Loads the module. */
  load(): Promise<Command>
}

/** The flags as they were given. Asking for one that is not in the command's table throws. */
export interface FlagValues {
  /** Whether a flag was given. */
  has(name: string): boolean
  /** The value of a flag, where it was given. */
  value(name: string): string | undefined
  /** All values of a flag that repeats, in order. */
  values(name: string): readonly string[]
  /** The value of a whole-number flag, where it was given. */
  integer(name: string): number | undefined
}

/** Where text goes. Writes at once, so nothing is lost when the process ends or becomes another program. */
export interface Output {
  /** The descriptor, for natively written values. */
  readonly fd: number
  /** Whether a person reads it. */
  readonly isTerminal: boolean
  /** Whether it takes colours: a terminal, `NO_COLOR` unset or empty, `TERM` other than `dumb`. */
  readonly hasColour: boolean
  /** Writes text. Never throws: what cannot be written is dropped, and the command goes on. */
  write(text: string): void
  /** Why something was dropped. Nothing when all was written, and when the reader has gone, which is its own affair. */
  readonly failure: Error | undefined
}

/** What a command gets. */
export interface Context {
  /** The command's own tables. */
  readonly command: Command
  /** The flags. */
  readonly flags: FlagValues
  /** The arguments that are not flags, checked against the table for number and choices. */
  readonly positionals: readonly string[]
  /** What follows `--` or the first word, for a command with {@link Command.rest}. */
  readonly rest: readonly string[]
  /** Where the positional stands in `process.argv`: values in arguments are read natively, by this place. */
  argvIndex(position: number): number
  /** Where `rest` begins in `process.argv`; its length when there is none. */
  readonly restIndex: number
  /** Standard output. Values and results only. */
  readonly stdout: Output
  /** Standard error. Problems, hints and questions. */
  readonly stderr: Output
  /** Whether standard input is a terminal. */
  readonly stdinIsTerminal: boolean
  /** The environment. */
  readonly env: NodeJS.ProcessEnv
}
