import { once } from 'node:events'
import { createServer } from 'node:http'
import { join } from 'node:path'
import type { ConnectRouter } from '@connectrpc/connect'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { createFolder } from './daemon-server.js'

/** Serves what ours is compared with: connect-node's own handlers. @returns the path of its socket. */
export async function startReference(
  teardown: (fn: () => Promise<void> | void) => void,
  routes: (router: ConnectRouter) => ConnectRouter,
): Promise<string> {
  const path = join(createFolder(teardown), 'reference.sock')
  const server = createServer(connectNodeAdapter({ routes, grpc: false, grpcWeb: false, readMaxBytes: 64 << 10 }))
  server.listen(path)
  await once(server, 'listening')
  teardown(() => void server.close())
  return path
}
