// The program that puts a load on a server (load.go), built where it is wanted. Needs Go.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

/**
 * Builds it in a folder, and starts it.
 * @returns `run({ socket, request, connections, milliseconds })`, which answers with `{ perSecond, p50, p99 }` (in
 * microseconds), and `stop`. One run at a time.
 */
export function startLoad(folder) {
  const program = join(folder, 'load')
  execFileSync('go', ['build', '-o', program, fileURLToPath(new URL('load.go', import.meta.url))])
  const child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })
  const ended = once(lines, 'close')
  return {
    pid: child.pid,
    async run({ request, ...pass }) {
      child.stdin.write(`${JSON.stringify({ ...pass, request: request.toString('base64') })}\n`)
      const [line] = await Promise.race([once(lines, 'line'), ended])
      if (line === undefined) throw new Error('the load has ended')
      return JSON.parse(line)
    },
    stop: () => child.kill(),
  }
}
