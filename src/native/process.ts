// What crates/binding/src/process.rs exports, and the few functions that the rest calls: each throws where the native
// part answers with a failure.
import { createError, type SecretsError } from '../errors/secrets-error.js'
import { native } from './load.js'
import { failureError, type Outcome, unwrap } from './outcome.js'
import type { SecretHandle } from './secret.js'

/** A variable whose value begins with `se://`. */
export interface VariableReference {
  /** Its place, for {@link Launch.bind}. */
  index: number
  /** The variable's name. */
  name: string
  /** The reference. */
  text: string
}

/** Why the variables cannot be given to a command. */
export interface LaunchProblem {
  code: string
  message: string
  hint: string
  details: Record<string, string>
}

/** A command to be: the last arguments of this process, its environment and its descriptors, all as bytes. */
export interface Launch {
  /** The variables whose value begins with `se://`, in order. */
  references(): VariableReference[]
  /** Sets a variable to a text, in its place where it is there. */
  set(name: string, value: string): void
  /** Sets a variable to a value, likewise. Places of `references` mean nothing after that. */
  setValue(name: string, value: SecretHandle): Outcome<null>
  /** Whether a variable of this name is there. */
  has(name: string): boolean
  /** Gives the variable at this place of `references` a value. */
  bind(index: number, value: SecretHandle): Outcome<null>
  /**
   * Puts a value into a file, and gives the variable at this place of `references` the file's path. One with a path of
   * its own appears when {@link supervise} starts the command, and is noted in the folder `records`.
   */
  bindFile(index: number, value: SecretHandle, options: FileOptions, records: string): Outcome<null>
  /** All that keeps the variables from being given to the command. */
  problems(): LaunchProblem[]
  /** The variables that were set or bound, as text. */
  render(format: 'shell' | 'json' | 'dotenv'): Outcome<SecretHandle>
  /** Whether the command would be found, and may be executed. */
  check(): Outcome<null>
  /** Becomes the command; returns only when that failed. Not on Windows. */
  exec(): Outcome<null>
  /** Has the value masked as `[se://id]` in what the command writes, when a parent of ours masks it. */
  mask(id: string, value: SecretHandle): Outcome<null>
  /**
   * Becomes the launcher at this path, which runs the command below it, has its files at their paths until it ends, and
   * masks what it writes. Returns only when that failed. Not on Windows.
   */
  supervise(launcher: string, mask?: 'auto' | 'always'): Outcome<null>
  /** Runs the command below this process and answers its exit code. Only on Windows. */
  spawn(): Outcome<number>
}

/** What a file is to be like. */
export interface FileOptions {
  /** Where it is to be, absolute. Without it the file is in memory, and has no name. */
  readonly path?: string
  /** Read and write bits. */
  readonly mode: number
  /** Whom it is given to: `user` or `user:group`, each a name or a number. */
  readonly owner?: string
}

/** A value in a file in memory, for an editor. */
export interface SecretEditFile {
  /** Where the file is. */
  readonly path: string
  /** Reads what the editor left. */
  read(): Outcome<SecretHandle>
  /** Leaves the file there when this object goes. */
  keep(): void
  /** Wipes and removes the file and all beside it. */
  remove(): Outcome<null>
}

/** A value that was read, with the facts that came with it. */
export interface SecretInput {
  secret: SecretHandle
  /** The metadata of a JSON object. */
  metadata?: Record<string, string>
}

/** What crates/binding/src/process.rs exports. */
export interface ProcessBinding {
  harden(): boolean
  giveMemoryBack(): void
  captureLaunch(words: number): Outcome<Launch>
  fileProblems(options: FileOptions): Outcome<null>[]
  sweepFiles(records: string): Outcome<null>
  secretFromStdin(verbatim: boolean, objects: boolean): Promise<Outcome<SecretInput>>
  promptSecret(text: string, confirm?: string): Promise<Outcome<SecretHandle>>
  secretFromArgument(fromEnd: number, offset: number): Outcome<SecretHandle>
  generateSecret(length: number, alphabet: string): Outcome<SecretHandle>
  jsonMember(value: SecretHandle): Outcome<SecretHandle>
  writeSecret(fd: number, value: SecretHandle): Promise<Outcome<null>>
  writeSecretFile(path: string, value: SecretHandle): Promise<Outcome<null>>
  createEditFile(value: SecretHandle, records: string, launcher: string): Outcome<SecretEditFile>
}

/**
 * Keeps debuggers, core dumps and other processes of the same user away from this process (Linux). For the command
 * line only, never for a library in somebody else's process. Answers whether the system could.
 */
export function harden(): boolean {
  return native().harden()
}

/**
 * Collects garbage so that as little memory as possible stays in use, and gives what is free back to the system. Holds
 * everything up for some twenty milliseconds. For our own program only.
 */
export function giveMemoryBack(): void {
  native().giveMemoryBack()
}

/**
 * Captures what a command will get, before anything of ours is opened.
 * @param words - How many of the last elements of `process.argv` are the command.
 */
export function captureLaunch(words: number): Launch {
  return unwrap(native().captureLaunch(words))
}

/** All that keeps a file from being made for a command, as far as that is known without its value. */
export function fileProblems(options: FileOptions): SecretsError[] {
  return native()
    .fileProblems(options)
    .flatMap(({ error }) => (error === undefined ? [] : [failureError(error)]))
}

/**
 * Removes the files at paths that killed processes left, where their watchers were killed too. What cannot be removed is
 * left for the next time.
 * @param records - The folder where what is left is noted.
 */
export function sweepFiles(records: string): void {
  native().sweepFiles(records)
}

/**
 * Reads standard input to its end, at most 16 MiB.
 * @param options.mode - `line`: one line loses its line end, several stay byte for byte, and a JSON object that holds
 * `secret` (and `metadata`) alone is taken apart; `object`: such an object is taken apart, and all else stays byte for
 * byte; `verbatim`: every byte is the value.
 * @throws `SE_VALUE_TOO_LARGE`; `SE_INVALID_OPTION` for a JSON object whose `secret` is no text.
 */
export async function secretFromStdin(options: { mode: 'line' | 'object' | 'verbatim' }): Promise<SecretInput> {
  return unwrap(await native().secretFromStdin(options.mode !== 'line', options.mode === 'object'))
}

/**
 * Asks at the terminal without echo, wherever the standard streams lead. Waits until the person has answered.
 * @param text - What is asked, such as `Passphrase: `.
 * @param options.confirm - Asks again with this text, until both are the same.
 * @throws `SE_INTERACTION_REQUIRED` without a terminal; `SE_PROMPT_DISMISSED`; `SE_INVALID_OPTION` when several lines
 * were pasted.
 */
export async function promptSecret(text: string, options: { confirm?: string } = {}): Promise<SecretHandle> {
  return unwrap(await native().promptSecret(text, options.confirm))
}

/**
 * The bytes of one of this process's own arguments, as they were given.
 * @param index - Its place in `process.argv`.
 * @param offset - How many bytes to leave out at its beginning.
 */
export function secretFromArgument(index: number, offset: number): SecretHandle {
  return unwrap(native().secretFromArgument(process.argv.length - index, offset))
}

/** Characters to make values of, by name. */
export const alphabets = {
  /** Letters and digits. */
  alphanumeric: 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789',
  /** Decimal digits. */
  digits: '0123456789',
  /** Hexadecimal digits, lower case. */
  hex: '0123456789abcdef',
  /** Letters, digits, `-` and `_`. */
  base64url: 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_',
  /** Every visible ASCII character. */
  ascii: Array.from({ length: 94 }, (_, index) => String.fromCharCode(33 + index)).join(''),
} as const

/**
 * Makes a random value, each character as likely as any other.
 * @param options.length - In characters.
 * @param options.alphabet - At least two different characters.
 * @throws `SE_INVALID_OPTION`, `SE_VALUE_TOO_LARGE`.
 */
export function generateSecret(options: { length: number; alphabet: string }): SecretHandle {
  return unwrap(native().generateSecret(options.length, options.alphabet))
}

/** The value as a member of a JSON object: `"value":"…"`, or `"valueBase64":"…"` when it is not UTF-8. */
export function jsonMember(value: SecretHandle): SecretHandle {
  return unwrap(native().jsonMember(value))
}

/**
 * Writes a value to a descriptor of this process. When the reader has gone, the rest is dropped.
 * @throws `SE_OUTPUT_FAILURE`.
 */
export async function writeSecret(fd: number, value: SecretHandle): Promise<void> {
  unwrap(await native().writeSecret(fd, value))
}

/**
 * Writes a value to a file of mode 0600, atomically and durably; a pipe or device is written to as it is, and a link
 * stays: what it leads to is written.
 * @throws `SE_INVALID_OPTION` for a wrong path, `SE_ACCESS_DENIED`, `SE_OUTPUT_FAILURE`.
 */
export async function writeSecretFile(path: string, value: SecretHandle): Promise<void> {
  unwrap(await native().writeSecretFile(path, value))
}

/**
 * Puts a value into a file for an editor: in a private folder in memory, since editors save by renaming and keep swap
 * files beside. Call {@link SecretEditFile.remove} at the end. Should this process be killed, a watcher removes the folder.
 * @param options.records - The folder where it is noted what a killed process left, as for {@link sweepFiles}.
 * @param options.launcher - The program that watches.
 * @throws `SE_UNSUPPORTED` where there is no file system in memory; `SE_OUTPUT_FAILURE` when it cannot be noted or watched.
 */
export function createEditFile(value: SecretHandle, options: { records: string; launcher: string }): SecretEditFile {
  return unwrap(native().createEditFile(value, options.records, options.launcher))
}

/** Makes the error that a problem amounts to. */
export function launchError({ code, message, hint, details }: LaunchProblem): SecretsError {
  return createError(code === 'SE_VALUE_HAS_NUL' ? code : 'SE_VALUE_TOO_LARGE', message, { hint, details })
}
