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
  #request
  #body = -1
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
    if (request !== this.#request) this.#body = -1
    this.#request = request
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
      const end = chunk.indexOf(HEAD_END)
      if (end < 0 || chunk.compare(OK, 0, OK.length, 0, OK.length) !== 0) return this.#fail(new Error(String(chunk)))
      // The same request has an answer of the same length.
      if (this.#body < 0) this.#body = Number(/content-length: (\d+)/i.exec(chunk.toString('latin1', 0, end))[1])
      this.#wanted = end + HEAD_END.length + this.#body
    }
    this.#got += chunk.length
    if (this.#got >= this.#wanted) this.#done()
  }
}

const OK = Buffer.from('HTTP/1.1 200')
const HEAD_END = Buffer.from('\r\n\r\n')
