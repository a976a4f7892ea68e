import { once } from 'node:events'
import test, { type ExecutionContext } from 'ava'
import { startChild } from '../../src/plugin-host/child.js'

const PATH = { PATH: process.env['PATH'] ?? '/usr/bin:/bin' }

// Nothing of a child keeps this process alive.
function stayAwake(t: ExecutionContext): void {
  const awake = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(awake))
}

test.serial('a process that has ended gets no signal: its number may be another’s', async (t) => {
  stayAwake(t)
  const child = await startChild({ command: ['true'], env: PATH, session: false })
  await child.exited
  await new Promise(setImmediate)
  const sent: number[] = []
  const { kill } = process
  process.kill = (pid) => {
    sent.push(pid)
    return true
  }
  t.teardown(() => {
    process.kill = kill
  })
  child.signal('SIGKILL')
  t.deepEqual(sent, [])
})

test.serial('what outlives a process keeps none of its output open', async (t) => {
  stayAwake(t)
  const script = `const sleep = require('node:child_process').spawn('sleep', ['600'], { detached: true, stdio: 'inherit' })
    console.log(sleep.pid)
    sleep.unref()`
  const command = [process.execPath, '-e', script] as const
  const child = await startChild({ command, env: PATH, session: true })
  const [pid] = await once(child.stdout, 'data')
  t.teardown(() => void process.kill(Number(pid), 'SIGKILL'))
  child.stderr.resume()
  await Promise.all([once(child.stdout, 'close'), once(child.stderr, 'close')])
  t.pass()
})
