/** Programs of plugins as they are named on the command line. */
import { accessSync, constants, type Stats, statSync } from 'node:fs'
import { delimiter, isAbsolute, join, resolve } from 'node:path'
import { createError, type SecretsError } from '../errors/secrets-error.js'

/** A command as it works from every folder. */
export interface WholeCommand {
  readonly command: string[]
  /** Arguments that are written as paths of what is not there. */
  readonly missing: readonly string[]
}

/**
 * Gives what names a file here its whole path: the program, an argument that is a file, and one that begins with `./` or
 * `../`.
 * @throws `SE_COMMAND_NOT_FOUND`, `SE_COMMAND_NOT_EXECUTABLE`.
 */
export function wholeCommand([program = '', ...words]: readonly string[], env: NodeJS.ProcessEnv): WholeCommand {
  const isPath = /[/\\]/.test(program)
  if (isPath) checkProgram(program)
  else if (!pathFolders(env).some((folder) => isExecutable(join(folder, program)))) throw notFound(program)
  const missing: string[] = []
  const args = words.map((word) => {
    const isRelative = /^\.\.?[/\\]/.test(word)
    if (isRelative && find(word) === undefined) missing.push(word)
    return isRelative || (!word.startsWith('-') && !isAbsolute(word) && isFile(word)) ? resolve(word) : word
  })
  return { command: [isPath ? resolve(program) : program, ...args], missing }
}

/** @throws `SE_COMMAND_NOT_FOUND`, `SE_COMMAND_NOT_EXECUTABLE` for the path of what is no program. */
export function checkProgram(path: string): void {
  if (isExecutable(path)) return
  throw isFile(path) ? notExecutable(path) : notFound(path)
}

function notFound(program: string): SecretsError {
  const isHere = !/[/\\]/.test(program) && isFile(program)
  return createError('SE_COMMAND_NOT_FOUND', `there is no program ${program}${isHere ? ' on the PATH' : ''}`, {
    hint: isHere ? `the one in this folder is ./${program}` : 'name a program, such as ./plugin, or one on the PATH',
  })
}

function notExecutable(path: string): SecretsError {
  return createError('SE_COMMAND_NOT_EXECUTABLE', `${path} cannot be executed`, {
    hint: `chmod +x ${path}`,
  })
}

function pathFolders(env: NodeJS.ProcessEnv): string[] {
  return (env['PATH'] ?? '').split(delimiter)
}

function isFile(path: string): boolean {
  return find(path)?.isFile() === true
}

function find(path: string): Stats | undefined {
  try {
    return statSync(path)
  } catch {
    return undefined // any text may be an argument
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return isFile(path)
  } catch {
    return false
  }
}
