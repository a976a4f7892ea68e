// A connection that asks for secrets as Docker's client writes it, over a raw socket: node:http's client costs more than its
// server.
import { connect } from 'node:net'

/** A request of GetSecrets. */
export function requestFor(id, form = 'json') {
  const body =
    form === 'json' ? Buffer.from(JSON.stringify({ pattern: id })) : Buffer.from([0x0a, id.length, ...Buffer.from(id)])
  const head = [
    'POST /resolver.v1.ResolverService/GetSecrets HTTP/1.1',
    'Host: unix',
    'User-Agent: connect-go/1.20.0 (go1.26)',
    `Content-Length: ${body.length}`,
    `Content-Type: application/${form}`,
    'Connect-Protocol-Version: 1',
    'Accept-Encoding: gzip',
  ]
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body])
}

/** A connection. One request at a time. */
export class RawCaller {
  #socket
  #wanted = 0
  #got = 0
  #done = () => {}
  #fail = () => {}

  constructor(path) {
    this.#socket = connect(path)
    this.#socket.on('error', (error) => this.#fail(error))
    this.#socket.on('data', (chunk) => this.#take(chunk))
  }

  /** Sends a request, and calls one of the two when its answer is there, or is none. */
  ask(request, done, fail) {
    this.#wanted = 0
    this.#got = 0
    this.#done = done
    this.#fail = fail
    this.#socket.write(request)
  }

  close() {
    this.#socket.destroy()
  }

  #take(chunk) {
    if (this.#wanted === 0) {
      // An answer's head comes in one piece.
      const head = chunk.toString('latin1', 0, 512)
      const end = head.indexOf('\r\n\r\n')
      const length = /content-length: (\d+)/i.exec(head)?.[1]
      if (!head.startsWith('HTTP/1.1 200') || end < 0 || length === undefined) return this.#fail(new Error(head))
      this.#wanted = end + 4 + Number(length)
    }
    this.#got += chunk.length
    if (this.#got >= this.#wanted) this.#done()
  }
}
