// The usual requests of GetSecrets, recognised without a parser. What is written in any other way (escapes, further
// fields, none at all, no text) is not decided here: Connect's own parsers say what it is.
import type { WireForm } from '../../wire/body.js'

const JSON_REQUEST =
  /^[ \t\r\n]*\{[ \t\r\n]*"pattern"[ \t\r\n]*:[ \t\r\n]*"([A-Za-z0-9._:*/-]*)"[ \t\r\n]*\}[ \t\r\n]*$/
/** The text of the pattern keeps that of its body alive, as a part of it: until it is logged, say. */
const MAX_JSON_BYTES = 4500
const PLAIN = /^[A-Za-z0-9._:*/-]*$/
// Field 1, length-delimited.
const TAG = 0x0a

/**
 * The pattern of a usual `resolver.v1.GetSecretsRequest`; it may still be no pattern. Undefined for any other body.
 * @param at - Where the body begins.
 */
export function requestPattern(form: WireForm, bytes: Buffer, at = 0): string | undefined {
  if (form === 'proto') return protoText(bytes, at)
  return bytes.length - at > MAX_JSON_BYTES ? undefined : JSON_REQUEST.exec(bytes.toString('latin1', at))?.[1]
}

/**
 * The text of a message in protobuf whose field 1 is all that it has. Undefined for any other, and for text that no pattern
 * has.
 */
export function protoText(bytes: Buffer, at = 0): string | undefined {
  const low = bytes[at + 1]
  if (bytes[at] !== TAG || low === undefined) return undefined
  // A length of one byte, or of two: more than a pattern may have is none of the usual ones.
  const high = low < 128 ? 0 : bytes[at + 2]
  if (high === undefined || high >= 128) return undefined
  const start = at + (low < 128 ? 2 : 3)
  if (bytes.length !== start + (low & 127) + (high << 7)) return undefined
  const text = bytes.toString('latin1', start)
  return PLAIN.test(text) ? text : undefined
}
