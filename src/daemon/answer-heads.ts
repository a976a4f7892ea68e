import { STATUS_CODES } from 'node:http'
import type { WireForm } from '../wire/body.js'
import type { DaemonLimits } from './limits.js'

/** Writes the heads of answers, as node:http has them. */
export class AnswerHeads {
  readonly #keepAlive: string
  #second = 0
  #date = ''
  readonly #usual = { json: '', proto: '' }

  constructor({ keepAliveTimeoutMs }: DaemonLimits) {
    this.#keepAlive = `Connection: keep-alive\r\nKeep-Alive: timeout=${Math.floor(keepAliveTimeoutMs / 1000)}\r\n`
  }

  /**
   * A whole head.
   * @param headers - Names and values in turn.
   * @param last - Whether the connection is closed after the answer.
   */
  whole(status: number, headers: readonly string[], last: boolean): string {
    this.#look()
    let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'unknown'}\r\nDate: ${this.#date}\r\n`
    for (let n = 0; n < headers.length; n += 2) head += `${headers[n]}: ${headers[n + 1]}\r\n`
    return `${head}${last ? 'Connection: close\r\n' : this.#keepAlive}\r\n`
  }

  /** The head of an answer with secrets up to the request's name, after which comes the length. */
  usual(form: WireForm): string {
    this.#look()
    return this.#usual[form]
  }

  /** All of it is the same for a second. */
  #look(): void {
    const now = Date.now()
    const second = Math.floor(now / 1000)
    if (second === this.#second) return
    this.#second = second
    this.#date = new Date(now).toUTCString()
    for (const form of ['json', 'proto'] as const) {
      const type = `Content-Type: application/${form}\r\n`
      this.#usual[form] = `HTTP/1.1 200 OK\r\nDate: ${this.#date}\r\n${type}${this.#keepAlive}X-Request-Id: `
    }
  }
}
