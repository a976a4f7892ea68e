// Members of a JSON request, each of the type that it must have.
import { wrongArgument } from '../../argument.js'
import { createError } from '../../errors/secrets-error.js'

/** A request. */
export type JsonObject = Readonly<Record<string, unknown>>

/** @throws `SE_INVALID_OPTION` when it is no JSON object in UTF-8. */
export function parse(body: Buffer): JsonObject {
  let request: unknown
  try {
    request = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    throw createError('SE_INVALID_OPTION', 'the body of the request is not JSON')
  }
  if (typeof request === 'object' && request !== null && !Array.isArray(request)) return request as JsonObject
  throw wrongArgument('the body of the request', 'a JSON object', request)
}

/** A text; undefined when it is empty or not there. @throws `SE_INVALID_OPTION`. */
export function text(request: JsonObject, name: string): string | undefined {
  const value = request[name] ?? undefined
  if (value === undefined || value === '') return undefined
  if (typeof value === 'string') return value
  throw wrongArgument(name, 'a string', value)
}

/** A yes or no; no when it is not there. @throws `SE_INVALID_OPTION`. */
export function flag(request: JsonObject, name: string): boolean {
  const value = request[name] ?? false
  if (typeof value === 'boolean') return value
  throw wrongArgument(name, 'true or false', value)
}

/** A list of texts; empty when it is not there. @throws `SE_INVALID_OPTION`. */
export function strings(request: JsonObject, name: string): string[] {
  const value = request[name] ?? []
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value
  throw wrongArgument(name, 'a list of strings', value)
}
