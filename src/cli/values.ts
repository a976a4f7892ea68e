/** Values on their way in and out of the command line. Their bytes stay native: JavaScript holds handles only. */

import {
  generateSecret,
  jsonMember,
  promptSecret,
  secretFromArgument,
  secretFromStdin,
  writeSecret,
  writeSecretFile,
} from '../native/process.js'
import { handleOf, Secret, secretFromHandle } from '../secret.js'
import type { Context, Output } from './command.js'

/** A value that was read, and the metadata of a JSON object. */
export interface ReadValue {
  readonly secret: Secret
  readonly metadata: Readonly<Record<string, string>>
}

/** The value after the `=` of an argument `ID=VALUE`. */
export function valueFromArgument(context: Context, position: number, id: string): Secret {
  return secretFromHandle(id, secretFromArgument(context.argvIndex(position), id.length + 1))
}

/** The value on standard input. */
export async function valueFromStdin(id: string, mode: 'line' | 'object' | 'verbatim'): Promise<ReadValue> {
  const { secret, metadata = {} } = await secretFromStdin({ mode })
  return { secret: secretFromHandle(id, secret), metadata }
}

/**
 * A value typed at the terminal, hidden.
 * @param again - The second question, when it is to be typed twice.
 */
export async function valueFromPrompt(id: string, question: string, again?: string): Promise<Secret> {
  return secretFromHandle(id, await promptSecret(question, again === undefined ? {} : { confirm: again }))
}

/** A random value. */
export function generateValue(id: string, length: number, alphabet: string): Secret {
  return secretFromHandle(id, generateSecret({ length, alphabet }))
}

/** Writes the value, byte for byte, and a line end on a terminal. */
export async function writeValue(output: Output, secret: Secret): Promise<void> {
  await writeSecret(output.fd, handleOf(secret))
  if (output.isTerminal) output.write('\n')
}

/** Writes the value to a file of mode 0600, whole or not at all. */
export async function writeValueFile(path: string, secret: Secret): Promise<void> {
  await writeSecretFile(path, handleOf(secret))
}

/** Writes the facts of a secret as a JSON object, with its value as the last member when it is to be revealed. */
export async function writeJson(output: Output, secret: Secret, reveal: boolean): Promise<void> {
  const { id, plugin, version, metadata, createdAt, resolvedAt, expiresAt, byteLength: bytes } = secret
  const facts = JSON.stringify({ id, plugin, version, metadata, createdAt, resolvedAt, expiresAt, bytes })
  if (!reveal) {
    output.write(`${facts}\n`)
    return
  }
  const member = jsonMember(handleOf(secret))
  try {
    output.write(`${facts.slice(0, -1)},`)
    await writeSecret(output.fd, member)
    output.write('}\n')
  } finally {
    member.dispose()
  }
}
