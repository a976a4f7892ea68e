// Puts a load on a server, in a process of its own: told by its parent `{ socket, form, connections, milliseconds }`, it
// answers with how many requests were answered, and how long they took. Each connection asks again as soon as it has its
// answer.
import { performance } from 'node:perf_hooks'
import { RawCaller, requestFor } from './raw-caller.mjs'

process.on('message', async ({ socket, form, connections, milliseconds }) => {
  const request = requestFor('bench/item/7', form)
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

function ask(path, request, until, times) {
  return new Promise((resolve, reject) => {
    const caller = new RawCaller(path)
    let askedAt = 0
    const next = () => {
      askedAt = performance.now()
      caller.ask(request, answered, reject)
    }
    const answered = () => {
      const now = performance.now()
      times.push(now - askedAt)
      if (now < until) return next()
      caller.close()
      resolve()
    }
    next()
  })
}
