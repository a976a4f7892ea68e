// What a plugin in a process of its own costs for each request, against a bare node:http server in a process of its own
// that knows the answer, over a connection that is kept and over one for each request; and against the same plugin within
// this process. One request at a time, and 32 at once. Needs `npm run build` before.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, createServer, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createEngine } from '../dist/index.js'
import { acceptSession } from '../dist/session/plugin-session.js'
import { decodeSecrets } from '../dist/wire/body.js'
import { measure } from './lib/rounds.mjs'
import { plugin } from './lib/session-contender.mjs'

const script = fileURLToPath(new URL('./lib/session-contender.mjs', import.meta.url))

/** Measures. @returns tables as `measure` makes them. */
export async function bench() {
  const folder = mkdtempSync(join(tmpdir(), 'se-bench-'))
  const [echo, daemon] = [join(folder, 'echo'), join(folder, 'daemon')]
  const { server, session } = listenForPlugin(daemon)
  await once(server, 'listening')
  const children = [fork(script, ['echo', echo], { silent: true }), fork(script, ['plugin', daemon], { silent: true })]
  try {
    await once(children[0], 'message')
    const { getSecrets } = await session
    const engine = await createEngine({ plugins: [plugin] })
    const kept = new Agent({ keepAlive: true, maxSockets: 32 })
    const contenders = [
      ['bare node:http, connections kept', () => ask(echo, kept)],
      ['bare node:http, a connection each', () => ask(echo, false)],
      ['a plugin in a process of its own', () => getSecrets('bench/item')],
      ['the same plugin in this process', () => engine.getSecrets('bench/item')],
    ]
    const tables = []
    for (const [name, per] of [
      ['one request', 1],
      ['32 requests at once', 32],
    ]) {
      const works = contenders.map(([name, run]) => ({
        name,
        run: () => Promise.all(Array.from({ length: per }, async () => take(await run()))),
      }))
      tables.push(await measure(name, works, { per }))
    }
    kept.destroy()
    return tables
  } finally {
    for (const child of children) child.kill('SIGKILL')
    server.close()
    rmSync(folder, { recursive: true, force: true })
  }
}

/** The ids; the values are let go of. */
function take(secrets) {
  for (const secret of secrets) secret.dispose()
  return secrets.map(({ id }) => id)
}

function listenForPlugin(path) {
  const server = createServer().listen(path)
  const session = new Promise((resolve, reject) => {
    server.once('upgrade', (_request, socket, head) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: tcp\r\n\r\n')
      acceptSession(socket, { head }).then(
        (session) => resolve({ getSecrets: (pattern) => session.getSecrets(pattern) }),
        reject,
      )
    })
  })
  return { server, session }
}

function ask(socketPath, agent) {
  return new Promise((resolve, reject) => {
    const headers = { host: 'unix', 'content-type': 'application/proto' }
    const sent = request({ socketPath, path: '/', method: 'POST', headers, agent }, (reply) => {
      const chunks = []
      reply.on('data', (chunk) => chunks.push(chunk))
      reply.once('end', () => resolve(decodeSecrets('proto', Buffer.concat(chunks))))
    })
    sent.once('error', reject)
    sent.end('bench/item')
  })
}
