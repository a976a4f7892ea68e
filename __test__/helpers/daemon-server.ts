// The daemon's server in this process, on a socket of its own, and a caller that sends what no HTTP client would.
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { request as httpRequest, type IncomingHttpHeaders } from 'node:http'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RequestEntry } from '../../src/daemon/log.js'
import { createDaemonServer, type DaemonServer, type DaemonServerOptions } from '../../src/daemon/server.js'
import { createEngine } from '../../src/engine/create-engine.js'
import type { LocalEngine } from '../../src/engine/engine.js'
import type { LogFacts, Plugin } from '../../src/engine/plugin.js'
import { native } from '../../src/native/load.js'
import { unwrap } from '../../src/native/outcome.js'

/** What a server logged. */
export interface Logged {
  readonly requests: RequestEntry[]
  readonly events: { readonly level: string; readonly message: string; readonly facts: LogFacts }[]
}

/** A server that runs. */
export interface TestServer extends Logged {
  readonly path: string
  readonly engine: LocalEngine
  readonly server: DaemonServer
  /** Listens once more, and answers with the path. */
  listen(): string
}

/** Where to put what a test leaves behind. */
export type Teardown = (end: () => Promise<void> | void) => void

/** A folder of its own. */
export function createFolder(teardown: Teardown): string {
  const folder = mkdtempSync(join(tmpdir(), 'se-server-'))
  teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Starts a server whose engine has these plugins. */
export async function startServer(
  teardown: Teardown,
  plugins: readonly Plugin[] = [],
  more: Partial<DaemonServerOptions> = {},
): Promise<TestServer> {
  const folder = createFolder(teardown)
  const engine = await createEngine({ plugins })
  const requests: RequestEntry[] = []
  const events: Logged['events'] = []
  const server = createDaemonServer({
    engine,
    log: {
      request: (entry) => requests.push(entry),
      event: (level, message, facts = {}) => events.push({ level, message, facts }),
    },
    describe: () => ({
      version: '0.0.0',
      pid: process.pid,
      startedAt: new Date(0),
      addresses: [path],
      configFile: '/none',
      storeKind: 'memory',
      storeLocation: '',
    }),
    unlock: async () => undefined,
    lock: async () => undefined,
    onHijack: (socket) => socket.destroy(),
    allowedUids: [process.getuid?.() ?? 0],
    ...more,
  })
  let count = 0
  const listen = (): string => {
    const address = join(folder, `${count++}.sock`)
    server.listen(unwrap(native().listenUnix(address)))
    return address
  }
  const path = listen()
  teardown(async () => {
    await server.close()
    await engine.close()
  })
  return { path, engine, server, requests, events, listen }
}

/** An answer. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

/** What to send. */
export interface Sent {
  readonly method?: string
  readonly path?: string
  readonly headers?: Readonly<Record<string, string | string[]>>
  readonly body?: Buffer | string
}

export const GET_SECRETS = '/resolver.v1.ResolverService/GetSecrets'
export const JSON_TYPE = { 'content-type': 'application/json' }

/** Sends a request on a connection of its own. */
export async function send(socketPath: string, sent: Sent): Promise<Answer> {
  const { method = 'POST', path = GET_SECRETS, headers = JSON_TYPE, body = '' } = sent
  const request = httpRequest({ socketPath, method, path, headers: { ...headers }, agent: false })
  const answered = once(request, 'response')
  // The rest of a body that was refused may find the connection closed.
  request.on('error', () => {})
  request.end(body)
  const [response] = await answered
  const chunks: Buffer[] = []
  for await (const chunk of response) chunks.push(chunk)
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks) }
}

/** Asks EngineService, and answers with the JSON. */
export async function ask(socketPath: string, procedure: string, message: unknown): Promise<Answer & { json: any }> {
  const path = `/senative.engine.v1.EngineService/${procedure}`
  const answer = await send(socketPath, { path, body: JSON.stringify(message) })
  return { ...answer, json: JSON.parse(answer.body.toString()) }
}

/** A connection that sends bytes as they are, and keeps all that comes. */
export class RawCaller {
  readonly socket: Socket
  readonly closed: Promise<unknown>
  #text = ''
  #waiting: (() => void)[] = []

  constructor(path: string) {
    this.socket = connect({ path, allowHalfOpen: true })
    this.socket.on('data', (chunk) => {
      this.#text += chunk.toString('latin1')
      this.#wake()
    })
    this.socket.on('error', () => {})
    this.closed = new Promise((resolve) => this.socket.once('close', resolve))
    this.socket.once('end', () => this.#wake())
    void this.closed.then(() => this.#wake())
  }

  /** Everything that came, one character a byte. */
  get text(): string {
    return this.#text
  }

  /** Waits until what came matches; fails when the connection ends before. */
  async expect(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const match = pattern.exec(this.#text)
      if (match !== null) {
        this.#text = this.#text.slice(match.index + match[0].length)
        return match
      }
      if (this.socket.readableEnded || this.socket.destroyed)
        throw new Error(`it closed before ${pattern}; it wrote: ${this.#text}`)
      await new Promise<void>((wake) => this.#waiting.push(wake))
    }
  }

  /** Waits for so many bytes, and takes them out. */
  async take(length: number): Promise<string> {
    while (this.#text.length < length) {
      if (this.socket.readableEnded || this.socket.destroyed)
        throw new Error(`it closed after ${this.#text.length} of ${length} bytes`)
      await new Promise<void>((wake) => this.#waiting.push(wake))
    }
    const taken = this.#text.slice(0, length)
    this.#text = this.#text.slice(length)
    return taken
  }

  /** Waits until the other side has closed, and answers with all that came. */
  async end(): Promise<string> {
    while (!this.socket.readableEnded && !this.socket.destroyed)
      await new Promise<void>((wake) => this.#waiting.push(wake))
    this.socket.destroy()
    return this.#text
  }

  #wake(): void {
    for (const wake of this.#waiting.splice(0)) wake()
  }
}

/** A request of GetSecrets as bytes. */
export function rawRequest(pattern: string, headers: readonly string[] = []): string {
  const body = JSON.stringify({ pattern })
  const lines = [`POST ${GET_SECRETS} HTTP/1.1`, 'Host: unix', 'Content-Type: application/json', ...headers]
  return `${lines.join('\r\n')}\r\nContent-Length: ${body.length}\r\n\r\n${body}`
}

/** The bytes of a request as Docker's client and curl write it: node:http's client adds headers of its own. */
export function plainBytes({ method = 'POST', path = GET_SECRETS, headers = JSON_TYPE, body = '' }: Sent): Buffer {
  const bytes = Buffer.from(body)
  const lines = [`${method} ${path} HTTP/1.1`, 'Host: unix', 'User-Agent: test']
  for (const [name, values] of Object.entries(headers)) {
    for (const value of [values].flat()) lines.push(`${name}: ${value}`)
  }
  if (bytes.length > 0 || method === 'POST') lines.push(`Content-Length: ${bytes.length}`)
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), bytes])
}

/** Takes an answer apart. */
export function answerOf(text: string): Answer {
  const end = text.indexOf('\r\n\r\n')
  const [first = '', ...lines] = text.slice(0, end).split('\r\n')
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  )
  return { status: Number(first.split(' ')[1]), headers, body: Buffer.from(text.slice(end + 4), 'latin1') }
}

/** Sends a request as `plainBytes`, on a connection of its own that has carried these before. */
export async function sendPlain(path: string, sent: Sent, ...before: Sent[]): Promise<Answer> {
  const caller = new RawCaller(path)
  try {
    let answer: Answer | undefined
    for (const one of [...before, sent]) {
      caller.socket.write(plainBytes(one))
      const [head] = await caller.expect(/^HTTP\/1.1 \d+ [^]*?\r\n\r\n/)
      const { status, headers } = answerOf(head)
      const length = one.method === 'HEAD' ? 0 : Number(headers['content-length'] ?? 0)
      const body = await caller.take(length)
      answer = { status, headers, body: Buffer.from(body, 'latin1') }
    }
    return answer as Answer
  } finally {
    caller.socket.destroy()
  }
}
