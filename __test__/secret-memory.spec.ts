import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { Canary, canaryInFiles, canaryInMemory } from './helpers/canary.js'
import { Steps } from './helpers/steps.js'

const linux = process.platform === 'linux' ? test : test.skip

function revert(inverted: string): Canary {
  return new Canary(Buffer.from(Buffer.from(inverted, 'hex').map((byte) => byte ^ 0xff)).toString())
}

linux('bytes in, bytes out: the value is in no heap snapshot while alive, and nowhere after dispose', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'se-memory-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const fixture = new Steps('secret-memory.ts', { args: [folder] })
  const canary = revert(await fixture.next())
  t.not(canaryInMemory(canary, fixture.pid).length, 0, 'the scan finds a value that is alive')
  fixture.goOn()
  t.is(await fixture.next(), 'used')
  for (const name of ['alive', 'read']) {
    t.is(canary.foundIn(readFileSync(join(folder, `${name}.heapsnapshot`))), undefined, name)
  }
  fixture.goOn()
  t.is(await fixture.next(), 'disposed')
  t.deepEqual(canaryInMemory(canary, fixture.pid), [])
  await fixture.end()
})

linux('a core of a process with secrets alive does not hold them', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'se-core-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const fixture = new Steps('secret-memory.ts', { args: [folder], cores: folder })
  const canary = revert(await fixture.next())
  fixture.goOn()
  t.is(await fixture.next(), 'used')
  t.not(canaryInMemory(canary, fixture.pid).length, 0)
  t.deepEqual(canaryInMemory(canary, fixture.pid, 'dumped'), [])
  process.kill(fixture.pid, 'SIGABRT')
  await fixture.end()
  const cores = readdirSync(folder).filter((name) => name.startsWith('core'))
  // Elsewhere, a program gets the cores.
  if (!/[|/]/.test(readFileSync('/proc/sys/kernel/core_pattern', 'utf8'))) t.is(cores.length, 1)
  t.deepEqual(canaryInFiles(canary, folder), [])
})

linux('a secret that nobody disposed is wiped when it is collected', async (t) => {
  const fixture = new Steps('secret-collected.ts', { nodeArguments: ['--expose-gc'] })
  const canary = revert(await fixture.next())
  t.not(canaryInMemory(canary, fixture.pid).length, 0)
  fixture.goOn()
  t.is(await fixture.next(), 'collected')
  t.deepEqual(canaryInMemory(canary, fixture.pid), [])
  await fixture.end()
})

linux('the secrets of a worker thread are wiped when it ends', async (t) => {
  const fixture = new Steps('secret-worker.ts')
  const canary = revert(await fixture.next())
  t.not(canaryInMemory(canary, fixture.pid).length, 0)
  fixture.goOn()
  t.is(await fixture.next(), 'ended')
  t.deepEqual(canaryInMemory(canary, fixture.pid), [])
  await fixture.end()
})

linux('memory does not grow with secrets that nobody disposes', async (t) => {
  const fixture = new Steps('secret-growth.ts')
  const before = Number(await fixture.next())
  fixture.goOn()
  const after = Number(await fixture.next())
  t.true(after - before < 256 << 20, `2,000 secrets of 1 MiB grew the process by ${(after - before) >> 20} MiB`)
  await fixture.end()
})
