import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Connection } from '../connection.js'
import { Call, type CallHost, type WholeAnswer } from './call.js'

/** The longest wait that a timer can take. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1

/** A request that came through node:http. */
export class HttpCall extends Call {
  readonly request: IncomingMessage
  readonly procedure: string
  readonly #response: ServerResponse

  constructor(host: CallHost, connection: Connection, request: IncomingMessage, response: ServerResponse) {
    super(host, connection)
    connection.noteRead()
    this.request = request
    this.#response = response
    const url = request.url as string
    const query = url.indexOf('?')
    this.procedure = query < 0 ? url : url.slice(0, query)
  }

  get timeoutMs(): number | undefined | null {
    const text = this.request.headers['connect-timeout-ms']
    if (text === undefined) return undefined
    if (typeof text !== 'string' || !/^\d{1,10}$/.test(text)) return null
    const timeoutMs = Number(text)
    return timeoutMs > MAX_TIMEOUT_MS ? undefined : timeoutMs
  }

  protected write({ status, headers, body, last }: WholeAnswer): void {
    const response = this.#response
    if (last) response.shouldKeepAlive = false
    response.writeHead(status, headers as string[])
    response.end(body, () => this.finish())
  }
}
