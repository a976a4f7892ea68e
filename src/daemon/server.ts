// The daemon's HTTP server: who is let in, what it bears, and how it stops. What is answered is rpc/.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { Server as NetServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import type { Requester } from '../engine/plugin.js'
import { AnswerHeads } from './answer-heads.js'
import { Connection, FRESH_MS } from './connection.js'
import { HijackRequest } from './hijack-request.js'
import type { LaneHost } from './lane.js'
import { type DaemonLimits, DEFAULT_LIMITS, limitExceeded, SPARE_CONNECTIONS } from './limits.js'
import type { DaemonLog } from './log.js'
import { peerOf } from './peer.js'
import { refuseRequest } from './refuse-request.js'
import type { Call } from './rpc/call.js'
import { createDispatcher, type Route, type Served } from './rpc/dispatch.js'
import { createEngineService } from './rpc/engine-service.js'
import { HttpCall } from './rpc/http-call.js'
import { type Answer, createUsual, type Usual } from './rpc/usual.js'

export type { DaemonDescription } from './rpc/dispatch.js'

/** What a server is made of. */
export interface DaemonServerOptions extends Served {
  readonly log: DaemonLog
  /**
   * Takes a connection over that becomes a plugin's session: the 101 is written already.
   * @param head - What came after the request.
   */
  onHijack(socket: Socket, head: Buffer, requester: Requester): void
  /** The users that are let in. */
  readonly allowedUids: readonly number[]
  readonly limits?: Partial<DaemonLimits> | undefined
}

/** A server on any number of sockets. */
export interface DaemonServer {
  /** Serves a listening socket, which belongs to the server from then on. */
  listen(fd: number): void
  /** How many requests are under way. */
  readonly activeRequests: number
  /**
   * Stops accepting, and lets what runs finish: requests that have begun to arrive are answered, each connection closes
   * after its last answer, and idle ones half a second after they were used. Sessions of plugins go on. What has not finished in time is cut off.
   */
  drain(timeoutMs: number): Promise<void>
  /** Closes everything at once, sessions of plugins as well. */
  close(): Promise<void>
}

/** Makes a server that listens nowhere yet. */
export function createDaemonServer(options: DaemonServerOptions): DaemonServer {
  return new HttpServer(options)
}

/** How many connections may wait to be accepted. */
const BACKLOG = 511
/** Between two log lines about connections that were refused. */
const REFUSALS_MS = 1000

class HttpServer implements DaemonServer, LaneHost {
  readonly log: DaemonLog
  readonly limits: DaemonLimits
  readonly heads: AnswerHeads
  readonly usual: ReadonlyMap<string, Usual>
  draining = false
  pendingBytes = 0
  activeRequests = 0
  readonly #options: DaemonServerOptions
  readonly #dispatch: Route
  readonly #servers = new Set<Server>()
  readonly #connections = new Map<Socket, Connection>()
  readonly #sweeper: NodeJS.Timeout
  #stirred: (() => void) | undefined
  #arrivals = 0
  #refusals = 0
  #refusedAt = Number.NEGATIVE_INFINITY

  constructor(options: DaemonServerOptions) {
    this.#options = options
    this.log = options.log
    this.limits = { ...DEFAULT_LIMITS, ...options.limits }
    this.heads = new AnswerHeads(this.limits)
    const handlers = createEngineService(options)
    this.usual = createUsual(options, handlers)
    this.#dispatch = createDispatcher(options, handlers, this.usual)
    const { answerTimeoutMs, headersTimeoutMs } = this.limits
    this.#sweeper = setInterval(() => this.#sweep(), Math.min(answerTimeoutMs, headersTimeoutMs) / 4).unref()
  }

  listen(fd: number): void {
    const { limits } = this
    const server = createServer({
      IncomingMessage: HijackRequest,
      maxHeaderSize: limits.maxHeaderBytes,
      headersTimeout: limits.headersTimeoutMs,
      requestTimeout: limits.requestTimeoutMs,
      keepAliveTimeout: limits.keepAliveTimeoutMs,
      connectionsCheckingInterval: Math.ceil(limits.headersTimeoutMs / 4),
    })
    // Node's own listener, which begins to read, is called for those that are let in, and when they are node:http's.
    const [serveHttp] = server.listeners('connection') as [(this: Server, socket: Socket) => void]
    server.removeAllListeners('connection')
    server.on('connection', (socket) => this.#admit(socket, () => serveHttp.call(server, socket)))
    server.on('request', (request, response) => this.#answer(request, response))
    server.on('upgrade', (_request, socket, head) => this.#hijack(socket as Socket, head))
    server.on('clientError', (error, socket) => this.#refuse(error, socket))
    server.on('error', (error) => this.log.event('error', 'a socket failed', { reason: error.message }))
    server.once('close', () => {
      this.#servers.delete(server)
      server.close() // its timer as well
    })
    this.#servers.add(server)
    server.listen({ fd, backlog: BACKLOG })
  }

  done(): void {
    this.activeRequests -= 1
    this.#stirred?.()
  }

  async drain(timeoutMs: number): Promise<void> {
    this.draining = true
    await this.#takeArrived()
    // As a server of HTTP it would cut off connections whose next request is on its way.
    for (const server of this.#servers) NetServer.prototype.close.call(server)
    let late = false
    const timer = setTimeout(() => {
      late = true
      this.#stirred?.()
    }, timeoutMs)
    for (;;) {
      for (const connection of this.#served())
        if (late || (connection.idle && !connection.fresh)) connection.socket.destroy()
      if (this.#served().length === 0) break
      let soon: NodeJS.Timeout | undefined
      await new Promise<void>((resolve) => {
        this.#stirred = resolve
        if (this.#served().some(({ fresh }) => fresh)) soon = setTimeout(resolve, FRESH_MS)
      })
      clearTimeout(soon)
    }
    clearTimeout(timer)
    clearInterval(this.#sweeper)
  }

  async close(): Promise<void> {
    this.draining = true
    clearInterval(this.#sweeper)
    const closed = [...this.#servers].map((server) => new Promise<void>((resolve) => server.close(() => resolve())))
    for (const socket of this.#connections.keys()) socket.destroy()
    await Promise.all(closed)
  }

  /**
   * Waits until what was sent before now is read. It is in the kernel's buffers, also on connections that were not accepted
   * yet: a turn of the event loop accepts one of them.
   */
  async #takeArrived(): Promise<void> {
    for (let turns = 0; turns < BACKLOG; turns++) {
      const before = this.#arrivals
      for (let n = 0; n < 3; n++) await new Promise((resolve) => setImmediate(resolve))
      if (this.#arrivals === before) return
    }
  }

  /** The connections that speak HTTP. */
  #served(): Connection[] {
    return [...this.#connections.values()].filter(({ hijacked }) => !hijacked)
  }

  #admit(socket: Socket, toHttp: () => void): void {
    let peer: ReturnType<typeof peerOf>
    try {
      peer = peerOf(socket)
    } catch {
      this.#turnAway(socket, 'its user cannot be told', {})
      return
    }
    const { uid, pid } = peer
    if (!this.#options.allowedUids.includes(uid)) {
      this.#turnAway(socket, 'its user may not use this daemon', { uid, pid })
      return
    }
    this.#arrivals += 1
    const surplus = this.#connections.size - this.limits.maxConnections
    if (surplus >= SPARE_CONNECTIONS) {
      this.#turnAway(socket, 'there are too many', { uid, pid })
      return
    }
    const connection = new Connection(socket, peer, surplus >= 0, toHttp)
    this.#connections.set(socket, connection)
    socket.once('close', () => {
      this.#connections.delete(socket)
      connection.hangUp()
      this.#stirred?.()
    })
    connection.serve(this)
  }

  // One line a second at most: whoever is refused must not fill the disk.
  #turnAway(socket: Socket, reason: string, peer: { uid?: number; pid?: number | undefined }): void {
    socket.destroy()
    this.#refusals += 1
    const now = performance.now()
    if (now - this.#refusedAt < REFUSALS_MS) return
    this.log.event('warn', 'a connection was refused', { reason, ...peer, refusals: this.#refusals })
    this.#refusals = 0
    this.#refusedAt = now
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.#connections.get(request.socket) as Connection
    const call = new HttpCall(this, connection, request, response)
    this.begin(call, () => this.#dispatch(call))
  }

  begin(call: Call, answer: Answer): void {
    this.activeRequests += 1
    this.#arrivals += 1
    const { maxConnections, maxRequests } = this.limits
    try {
      if (call.connection.surplus)
        throw limitExceeded('maxConnections', `there are ${maxConnections} connections already`, maxConnections)
      if (this.activeRequests > maxRequests)
        throw limitExceeded('maxRequests', `${maxRequests} requests are under way already`, maxRequests)
      answer(call)
    } catch (error) {
      call.fail(error)
    }
  }

  #hijack(socket: Socket, head: Buffer): void {
    const connection = this.#connections.get(socket) as Connection
    socket.on('error', () => socket.destroy())
    if (this.draining || connection.surplus) {
      const reason = 'no more connections are taken'
      // Nobody reads from it any more, so that its end would not be seen.
      socket.end(
        `HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nContent-Length: ${reason.length + 1}\r\nConnection: close\r\n\r\n${reason}\n`,
        () => socket.destroy(),
      )
      return
    }
    connection.hijacked = true
    socket.setTimeout(0)
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: tcp\r\n\r\n')
    this.#options.onHijack(socket, head, connection.requester)
  }

  #refuse(error: Error & { code?: string }, socket: Duplex): void {
    const connection = this.#connections.get(socket as Socket)
    const answered = [...(connection?.calls ?? [])].some(({ answeredAt }) => answeredAt !== undefined)
    refuseRequest(error, socket, answered, this.limits)
  }

  // Closes connections that wait in vain, and those whose caller does not read its answer, which keeps the memory of it.
  #sweep(): void {
    const oldest = performance.now() - this.limits.answerTimeoutMs
    for (const connection of this.#connections.values()) {
      const { socket, calls } = connection
      const overdue = connection.overdue(this.limits)
      if (overdue === 'silent') this.#refuse(Object.assign(new Error(), { code: 'ERR_HTTP_REQUEST_TIMEOUT' }), socket)
      if (overdue === 'idle') socket.destroy()
      for (const { answeredAt } of calls) if (answeredAt !== undefined && answeredAt < oldest) socket.destroy()
    }
  }
}
