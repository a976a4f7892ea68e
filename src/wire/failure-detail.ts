// Errors over the wire: the JSON of a Connect error, in which our own errors travel whole as a detail. The detail is a
// `senative.engine.v1.Failure` (proto/senative/engine/v1/engine.proto), four strings: written and read here by hand, so
// that a client needs neither Connect nor protobuf.
import { CODES, type ConnectCode, type ErrorCode, isErrorCode } from '../errors/codes.js'
import { createError, type ErrorDetails, SecretsError } from '../errors/secrets-error.js'
import { quote } from '../quote.js'

const DETAIL_TYPE = 'senative.engine.v1.Failure'

/** The HTTP status of each of Connect's codes. */
const STATUSES: Readonly<Record<ConnectCode, number>> = {
  canceled: 499,
  invalid_argument: 400,
  deadline_exceeded: 504,
  not_found: 404,
  already_exists: 409,
  permission_denied: 403,
  resource_exhausted: 429,
  failed_precondition: 400,
  unimplemented: 501,
  internal: 500,
  unavailable: 503,
  data_loss: 500,
}

/** What an error without our detail is taken for: another program wrote it. */
export interface ForeignErrors {
  /** Who answered, for messages: `the daemon`. */
  readonly who: string
  /** Our code for a code of Connect's. */
  readonly codes: Readonly<Record<string, ErrorCode>>
  /** The code for any other. */
  readonly otherwise: ErrorCode
  /** Whether its message is shown. One that may quote a value becomes the cause only. */
  readonly shown: boolean
}

/** Errors of a daemon that is not ours, such as Docker's. */
export const DAEMON_ERRORS: ForeignErrors = {
  who: 'the daemon',
  codes: {
    canceled: 'SE_ABORTED',
    invalid_argument: 'SE_INVALID_OPTION',
    deadline_exceeded: 'SE_TIMEOUT',
    not_found: 'SE_NOT_FOUND',
    already_exists: 'SE_PLUGIN_DUPLICATE',
    permission_denied: 'SE_ACCESS_DENIED',
    unauthenticated: 'SE_ACCESS_DENIED',
    resource_exhausted: 'SE_LIMIT_EXCEEDED',
    failed_precondition: 'SE_LOCKED',
    unimplemented: 'SE_DAEMON_INCOMPATIBLE',
    unavailable: 'SE_DAEMON_UNREACHABLE',
    data_loss: 'SE_CORRUPT',
  },
  otherwise: 'SE_INTERNAL',
  shown: true,
}

/** An error as an HTTP response; the body is `application/json`. */
export interface ConnectErrorBody {
  readonly status: number
  readonly body: string
}

/** Writes an error for the wire, without its cause. What is not a `SecretsError` is told as `SE_INTERNAL`, and no more. */
export function connectErrorBody(error: unknown): ConnectErrorBody {
  const { code, message, hint, details } =
    SecretsError.is(error) && isErrorCode(error.code) ? error : createError('SE_INTERNAL', 'an internal fault')
  const { connect } = CODES[code]
  const fields = [code, message, hint ?? '', jsonOf(details)]
  const value = Buffer.concat(fields.flatMap(writeField)).toString('base64').replace(/=+$/, '')
  const body = JSON.stringify({ code: connect, message, details: [{ type: DETAIL_TYPE, value }] })
  return { status: STATUSES[connect], body }
}

/**
 * Reads an error from the wire.
 * @param status - The HTTP status, which decides where the body is not a Connect error.
 * @param text - The body.
 * @returns our own error, where the body has our detail; otherwise what `foreign` makes of the code.
 */
export function errorFromConnectBody(
  status: number,
  text: string,
  foreign: ForeignErrors = DAEMON_ERRORS,
): SecretsError {
  const body = objectOf(text)
  for (const detail of Array.isArray(body['details']) ? body['details'] : []) {
    const own = detail?.type === DETAIL_TYPE && typeof detail.value === 'string' && readFailure(detail.value)
    if (own) return own
  }
  const code = typeof body['code'] === 'string' ? body['code'] : codeOfStatus(status)
  const message = typeof body['message'] === 'string' ? body['message'] : ''
  const said = foreign.shown && message !== '' ? `: ${quote(message)}` : ''
  const ours = Object.hasOwn(foreign.codes, code) ? (foreign.codes[code] as ErrorCode) : foreign.otherwise
  const cause = message === '' ? undefined : new Error(message)
  const named = /^[a-z_]{1,40}$/.test(code) ? code : 'unknown'
  return createError(ours, `${foreign.who} answered ${named}${said}`, { details: { connect: named }, cause })
}

/** Connect's code for a response that is not Connect's, as its specification says. */
function codeOfStatus(status: number): string {
  if (status === 401) return 'unauthenticated'
  if (status === 403) return 'permission_denied'
  if (status === 404) return 'unimplemented'
  if (status === 429 || (status >= 502 && status <= 504)) return 'unavailable'
  return status === 400 ? 'internal' : 'unknown'
}

// What somebody put into the details may be no JSON.
function jsonOf(details: ErrorDetails): string {
  try {
    return JSON.stringify(details)
  } catch {
    return '{}'
  }
}

function objectOf(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {}
  } catch {
    return {}
  }
}

/** A field of type string: its tag, its length as a varint, its bytes. One that is empty is left out. */
function writeField(text: string, index: number): Buffer[] {
  if (text === '') return []
  const bytes = Buffer.from(text)
  const head = [((index + 1) << 3) | 2]
  let length = bytes.length
  for (; length > 127; length >>>= 7) head.push((length & 127) | 128)
  return [Buffer.from([...head, length]), bytes]
}

function readFailure(base64: string): SecretsError | undefined {
  const [code = '', message = '', hint = '', details = ''] = readFields(Buffer.from(base64, 'base64'))
  // A code that a newer version knows: the code of Connect's decides.
  if (!isErrorCode(code)) return undefined
  return createError(code, plain(message), { hint: hint === '' ? undefined : plain(hint), details: objectOf(details) })
}

/** The fields 1 to 4. What is not understood ends the reading: what came before it stands. */
function readFields(bytes: Buffer): string[] {
  const fields: string[] = []
  let at = 0
  const varint = (): number => {
    let value = 0
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = bytes[at++] ?? 128
      value |= (byte & 127) << shift
      if (byte < 128) return value
    }
    return Number.NaN
  }
  while (at < bytes.length) {
    const tag = varint()
    const length = varint()
    if ((tag & 7) !== 2 || !(at + length <= bytes.length)) break
    fields[(tag >>> 3) - 1] = bytes.toString('utf8', at, at + length)
    at += length
  }
  return fields
}

/** The text without what could act on a terminal; line ends stay. */
function plain(text: string): string {
  return text.replace(/[^\P{C}\n]/gu, (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`)
}
