import { createError, type SecretsError } from '../errors/secrets-error.js'
import { wait } from '../wait.js'
import type { YamuxSession } from '../yamux/session.js'
import type { YamuxStream } from '../yamux/stream.js'
import { type Budget, ResponseReader } from './response-reader.js'

/** The largest answer, in bytes: what 100,000 secrets of a few kilobytes need. */
export const MAX_BODY_BYTES = 256 * 1024 * 1024

const MAX_HEAD_BYTES = 64 * 1024

/** A request to the other side of a session. */
export interface Call {
  /** What is being done, for messages: `asking for a/b`. */
  readonly what: string
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly contentType?: string | undefined
  readonly body?: Uint8Array | undefined
  readonly signal?: AbortSignal | undefined
  /** Milliseconds for the whole of it; also told to the other side. */
  readonly timeoutMs?: number | undefined
  /** Default {@link MAX_BODY_BYTES}. */
  readonly maxBodyBytes?: number | undefined
  /** What it shares with other calls of the session. */
  readonly budget?: Budget | undefined
}

/** What came back. */
export interface CallAnswer {
  readonly status: number
  /** The media type of the body, without parameters. */
  readonly contentType: string
  /** The caller's to wipe. */
  readonly body: Buffer
}

/**
 * Makes one request on a stream of its own, as Docker's side does: one stream, one request.
 * @throws `SE_PLUGIN_UNAVAILABLE` when the session is over or ends; `SE_PLUGIN_FAILURE` for an answer that is none;
 *   `SE_LIMIT_EXCEEDED`; `SE_ABORTED` and `SE_TIMEOUT`, by which the stream is reset, so that the other side stops its work.
 */
export async function call(session: YamuxSession, request: Call): Promise<CallAnswer> {
  const { what, signal, timeoutMs } = request
  let stream: YamuxStream | undefined
  try {
    return await wait(
      {
        what,
        begin: () => {
          stream = session.open()
          return exchange(stream, request)
        },
        discard: ({ body }) => body.fill(0),
      },
      { signal, timeoutMs },
    )
  } catch (error) {
    stream?.destroy(error as SecretsError)
    throw error
  }
}

function exchange(stream: YamuxStream, request: Call): Promise<CallAnswer> {
  return new Promise((resolve, reject) => {
    const reader = new ResponseReader({
      maxHeadBytes: MAX_HEAD_BYTES,
      maxBodyBytes: request.maxBodyBytes ?? MAX_BODY_BYTES,
      budget: request.budget,
    })
    let done = false
    const finish = (): void => {
      done = true
      const { status, contentType, body } = reader
      reader.settle()
      resolve({ status, contentType, body })
      // Not before: Go's server takes the end of our side for a caller that is gone.
      stream.end(() => stream.destroy())
    }
    const fail = (error: unknown): void => {
      if (done) return
      done = true
      reader.wipe()
      reject(error)
    }
    stream.on('data', (bytes: Buffer) => {
      if (done) return bytes.fill(0)
      try {
        if (reader.read(bytes)) finish()
      } catch (error) {
        bytes.fill(0)
        fail(error)
      }
    })
    stream.once('end', () => {
      if (done) return
      try {
        reader.end()
        finish()
      } catch (error) {
        fail(error)
      }
    })
    stream.once('error', fail)
    stream.once('close', () => {
      if (!done) fail(createError('SE_PLUGIN_UNAVAILABLE', 'the plugin closed the stream'))
    })
    writeRequest(stream, request)
  })
}

function writeRequest(stream: YamuxStream, { method, path, contentType, body, timeoutMs }: Call): void {
  let head = `${method} ${path} HTTP/1.1\r\nHost: unix\r\nConnection: close\r\n`
  if (body !== undefined) {
    head += `Content-Type: ${contentType}\r\nConnect-Protocol-Version: 1\r\nContent-Length: ${body.length}\r\n`
    if (timeoutMs !== undefined) head += `Connect-Timeout-Ms: ${Math.ceil(timeoutMs)}\r\n`
  }
  stream.cork()
  stream.write(`${head}\r\n`, 'latin1')
  if (body !== undefined) stream.write(body)
  stream.uncork()
}
