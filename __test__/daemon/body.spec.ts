import { EventEmitter } from 'node:events'
import test from 'ava'
import { DEFAULT_LIMITS } from '../../src/daemon/limits.js'
import { readBody } from '../../src/daemon/rpc/body.js'
import type { HttpCall } from '../../src/daemon/rpc/http-call.js'

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
