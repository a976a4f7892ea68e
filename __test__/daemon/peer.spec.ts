// The descriptor of a socket is not shown by Node: this runs on each version that the project runs on.
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import test from 'ava'
import { peerOf, requesterOf } from '../../src/daemon/peer.js'
import { createFolder } from '../helpers/daemon-server.js'

test('the system says who connected', async (t) => {
  const path = join(createFolder(t.teardown), 'peer.sock')
  const server = createServer().listen(path)
  const caller = connect(path)
  const [socket] = (await once(server, 'connection')) as [Socket]
  const peer = peerOf(socket)
  t.like(peer, { uid: process.getuid?.(), gid: process.getgid?.() } as never)
  if (process.platform === 'linux') {
    t.is(peer.pid, process.pid)
    t.is(requesterOf(peer).path, process.execPath)
  }
  const closed = once(socket, 'close')
  caller.destroy()
  await closed
  t.throws(() => peerOf(socket), { code: 'SE_SOCKET_UNSAFE' } as never)
  server.close()
})

test('of a program that has ended, and of none, only the number is known', (t) => {
  t.deepEqual(requesterOf({ uid: 0, gid: 0 }), { pid: 0, name: '', path: '' })
  t.deepEqual(requesterOf({ uid: 0, gid: 0, pid: 2 ** 30 }), { pid: 2 ** 30, name: '', path: '' })
})
