import { EventEmitter } from 'node:events'
import test from 'ava'
import type { Connection } from '../../src/daemon/connection.js'
import { Lane, type LaneHost } from '../../src/daemon/lane.js'
import { DEFAULT_LIMITS } from '../../src/daemon/limits.js'
import { readBody } from '../../src/daemon/rpc/body.js'
import type { HttpCall } from '../../src/daemon/rpc/http-call.js'
import { plainBytes, rawRequest } from '../helpers/daemon-server.js'

test('of a body that comes in pieces no copy stays', (t) => {
  const request = Object.assign(new EventEmitter(), { headers: {} })
  const pieces = ['{"passphrase":', '"b3Blbg=="}'].map((text) => Buffer.from(text))
  let body: string | undefined
  readBody({ request, host: { limits: DEFAULT_LIMITS } } as unknown as HttpCall, 'maxBodyBytes', (bytes) => {
    body = bytes.toString()
  })
  for (const piece of pieces) request.emit('data', piece)
  request.emit('end')
  t.is(body, '{"passphrase":"b3Blbg=="}')
  for (const piece of pieces) t.true(piece.every((byte) => byte === 0))
})

test('of a passphrase nothing stays in what a connection read, also of a request that was refused or came behind another', (t) => {
  const unlock = plainBytes({ path: '/senative.engine.v1.EngineService/Unlock', body: '{"passphrase":"b3Blbg=="}' })
  const read = (chunk: Buffer, usual: LaneHost['usual']): void => {
    const socket = new EventEmitter()
    const connection = { socket, take() {}, serveHttp() {} } as unknown as Connection
    const begin = (): void => {} // as when there are too many
    new Lane({ limits: DEFAULT_LIMITS, usual, begin } as unknown as LaneHost, connection)
    socket.emit('data', chunk)
    t.true(chunk.every((byte) => byte === 0))
  }
  read(Buffer.from(unlock), new Map([['/senative.engine.v1.EngineService/Unlock', () => () => {}]]))
  read(Buffer.concat([Buffer.from(rawRequest('a')), unlock]), new Map())
})
