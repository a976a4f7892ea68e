// A smaller run of bench/growth.mjs: what a daemon keeps of each request or plugin would show here.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import anyTest, { type TestFn } from 'ava'
import { checkBundle } from '../helpers/se.js'

const test = (process.platform === 'linux' ? anyTest : anyTest.skip) as TestFn
const program = fileURLToPath(new URL('../../bench/growth.mjs', import.meta.url))

interface Row {
  readonly what: string
  readonly before?: { readonly megabytes: number; readonly descriptors: number }
  readonly megabytes: number
  readonly descriptors: number
  readonly goalMB: number
}

test('a daemon does not grow with its requests, nor with plugins that come and go', async (t) => {
  t.timeout(110_000)
  checkBundle()
  const { stdout } = await promisify(execFile)(process.execPath, [program, '10000', '200'])
  for (const { what, before, megabytes, descriptors, goalMB } of JSON.parse(stdout) as Row[]) {
    t.log(`${what}: ${before?.megabytes.toFixed(1)} → ${megabytes.toFixed(1)} MB`)
    t.true(megabytes <= goalMB, `${what}: ${megabytes} MB`)
    if (before !== undefined) t.true(descriptors <= before.descriptors + 2, `${what}: ${descriptors} descriptors`)
  }
})
