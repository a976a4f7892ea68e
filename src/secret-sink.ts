// Writing a lent value to a stream, and knowing when the stream is done with it.
import type { WritableStream as WebStream } from 'node:stream/web'
import type { SecretView } from './native/secret.js'

/** Where a value can be written: a Node stream, or a web stream. */
export type SecretSink = NodeJS.WritableStream | WebStream<Uint8Array>

/**
 * Writes the view and closes it as soon as nothing can read it any more: when the stream has called back. A stream that
 * may hand on the very bytes (a transform, the other side of a pair, a web stream) calls back earlier: its bytes are
 * left to the collector, which wipes them.
 */
export async function writeView(view: SecretView, stream: SecretSink): Promise<void> {
  const buffer = view.open(false)
  const bytes = new Uint8Array(buffer)
  if ('getWriter' in stream) {
    const writer = stream.getWriter()
    try {
      await writer.ready
      await writer.write(bytes)
    } finally {
      writer.releaseLock()
    }
    return
  }
  try {
    await write(stream, bytes)
  } finally {
    if (!handsOn(stream)) view.close(buffer)
  }
}

/** Whether a stream may hand on the very bytes. Its classes are looked up late: loading them costs a start 5 ms. */
function handsOn(stream: NodeJS.WritableStream): boolean {
  const { Duplex } = process.getBuiltinModule('node:stream')
  const { Socket } = process.getBuiltinModule('node:net')
  return stream instanceof Duplex && !(stream instanceof Socket)
}

function write(stream: NodeJS.WritableStream, bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    // A stream that fails calls back first and emits 'error' afterwards: who waits here has got the error already.
    const ignore = (): void => undefined
    // A stream that is destroyed may never call back.
    const closed = (): void => {
      setImmediate(() => reject(new Error('the stream was closed before the value was written')))
    }
    stream.on('error', ignore)
    stream.once('close', closed)
    stream.write(bytes, (error) => {
      stream.removeListener('close', closed)
      if (error) return reject(error)
      stream.removeListener('error', ignore)
      resolve()
    })
  })
}
