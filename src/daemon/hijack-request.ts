// Which requests leave HTTP. Node asks that of a request before it is read, and gives no other say in it before its
// version 22.21: there is a listener for upgrades, or there is none.
import { IncomingMessage } from 'node:http'

/**
 * A request, of which Node believes that it asks for an upgrade only when it begins a plugin's session. Any other upgrade,
 * such as curl's to HTTP/2, is ignored, as RFC 9110 section 7.8 has it: the request is answered as if it did not ask.
 */
export class HijackRequest extends IncomingMessage {
  #asks = false

  /** Set by Node's parser; read when the headers are there. */
  get upgrade(): boolean {
    return this.#asks && isHijack(this)
  }

  set upgrade(asks: boolean | null) {
    // Node's own constructor sets it first, when there is no place for it yet.
    if (#asks in this) this.#asks = asks === true
  }
}

function isHijack({ method, url, headers }: IncomingMessage): boolean {
  return method === 'GET' && url === '/hijack' && headers.upgrade?.toLowerCase() === 'tcp'
}
