// Answers requests that Node's parser refused: they never become one of ours.
import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { createError, type SecretsError } from '../errors/secrets-error.js'
import { connectErrorBody } from '../wire/failure-detail.js'
import { type DaemonLimits, limitExceeded } from './limits.js'

/**
 * Tells the caller what is wrong with its request, where that is still possible, and closes the connection.
 * @param answered - Whether an answer is being written: nothing may come between.
 */
export function refuseRequest(
  error: Error & { code?: string },
  socket: Duplex,
  answered: boolean,
  limits: DaemonLimits,
): void {
  if (!socket.writable || answered || error.code === 'ECONNRESET') {
    socket.destroy()
    return
  }
  const [status, reason] = refusal(error.code, limits)
  const { body } = connectErrorBody(reason)
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    'Content-Type: application/json',
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
}

function refusal(code: string | undefined, limits: DaemonLimits): [number, SecretsError] {
  const { maxHeaderBytes, headersTimeoutMs, requestTimeoutMs } = limits
  switch (code) {
    case 'HPE_HEADER_OVERFLOW':
      return [
        431,
        limitExceeded(
          'maxHeaderBytes',
          `the headers of a request may have at most ${maxHeaderBytes} bytes`,
          maxHeaderBytes,
        ),
      ]
    case 'HPE_CHUNK_EXTENSIONS_OVERFLOW':
      return [413, limitExceeded('maxBodyBytes', 'the extensions of a chunk are too long', limits.maxBodyBytes)]
    case 'ERR_HTTP_REQUEST_TIMEOUT': {
      const message = `the request came too slowly: its headers have ${headersTimeoutMs} ms, the whole of it ${requestTimeoutMs} ms`
      return [408, limitExceeded('requestTimeoutMs', message, requestTimeoutMs)]
    }
    default:
      return [400, createError('SE_INVALID_OPTION', 'the request is not valid HTTP/1.1')]
  }
}
