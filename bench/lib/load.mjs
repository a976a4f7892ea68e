// Puts a load on a server, in a process of its own: told by its parent `{ socket, form, connections, milliseconds }`, it
// answers with how many requests were answered, and how long they took. Each connection asks again as soon as it has its
// answer; raw sockets, since node:http's client costs more than its server.
import { connect } from 'node:net'
import { performance } from 'node:perf_hooks'

process.on('message', async ({ socket, form, connections, milliseconds }) => {
  const request = requestOf(form)
  const times = []
  const until = performance.now() + milliseconds
  const startedAt = performance.now()
  await Promise.all(Array.from({ length: connections }, () => ask(socket, request, until, times)))
  const seconds = (performance.now() - startedAt) / 1000
  times.sort((a, b) => a - b)
  const at = (part) => times[Math.floor(times.length * part)] * 1000
  process.send({ perSecond: times.length / seconds, p50: at(0.5), p99: at(0.99) })
})
process.on('disconnect', () => process.exit())

function requestOf(form) {
  const id = 'bench/item/7'
  const body =
    form === 'json' ? Buffer.from(JSON.stringify({ pattern: id })) : Buffer.from([0x0a, id.length, ...Buffer.from(id)])
  const head = [
    'POST /resolver.v1.ResolverService/GetSecrets HTTP/1.1',
    'Host: unix',
    'User-Agent: connect-go/1.20.0 (go1.26)',
    `Content-Length: ${body.length}`,
    `Content-Type: application/${form}`,
    'Connect-Protocol-Version: 1',
    'Accept-Encoding: gzip',
  ]
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), body])
}

function ask(path, request, until, times) {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    let wanted = 0
    let got = 0
    let askedAt = 0
    const next = () => {
      wanted = 0
      got = 0
      askedAt = performance.now()
      socket.write(request)
    }
    socket.on('connect', next)
    socket.on('error', reject)
    socket.on('data', (chunk) => {
      if (wanted === 0) {
        // An answer's head comes in one piece.
        const head = chunk.toString('latin1', 0, 512)
        const end = head.indexOf('\r\n\r\n')
        const length = /content-length: (\d+)/i.exec(head)?.[1]
        if (!head.startsWith('HTTP/1.1 200') || end < 0 || length === undefined) return reject(new Error(head))
        wanted = end + 4 + Number(length)
      }
      got += chunk.length
      if (got < wanted) return
      const now = performance.now()
      times.push(now - askedAt)
      if (now < until) return next()
      socket.destroy()
      resolve()
    })
  })
}
