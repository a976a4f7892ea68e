// What listens where a daemon is looked for, and is none.

import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createNetServer, type Server } from 'node:net'
import { join } from 'node:path'
import { createFolder, type Teardown } from './daemon-server.js'

/** A program that accepts connections and never answers. */
export async function startHanging(teardown: Teardown, address?: string): Promise<string> {
  return listen(
    teardown,
    createNetServer(() => {}),
    address,
  )
}

/** A program that answers each procedure with a status and a body; what is not named, with 404. */
export async function startFake(
  teardown: Teardown,
  answers: Readonly<Record<string, string>>,
  address?: string,
): Promise<string> {
  const answer: RequestListener = (request, response) => {
    const body = answers[request.url ?? '']
    request.resume()
    response.statusCode = body === undefined ? 404 : 200
    response.setHeader('content-type', body === undefined ? 'text/plain' : 'application/json')
    response.end(body ?? '404 page not found\n')
  }
  return listen(teardown, createServer(answer), address)
}

async function listen(
  teardown: Teardown,
  server: Server,
  address = join(createFolder(teardown), 'daemon.sock'),
): Promise<string> {
  const sockets = new Set<import('node:net').Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
  })
  server.listen(address)
  await once(server, 'listening')
  teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return address
}
