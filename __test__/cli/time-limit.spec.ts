// SE_TIMEOUT_MS, or timeout_ms, bounds whatever a command asks of a store.
import { spawn } from 'node:child_process'
import { rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { checkBundle, createHome, type Home } from '../helpers/se.js'
import { Started } from '../helpers/start.js'

const linux = process.platform === 'linux' ? test : test.skip

test.before(checkBundle)

/** A home whose encrypted file somebody else has locked for writing, with a second file beside it that is free. */
async function homeWithLockedFile(t: ExecutionContext): Promise<Home> {
  const home = createHome((fn) => t.teardown(fn))
  await home.ok(['store', 'use', 'file', '--key-file', '--path', 'other.age', '--identity', 'other-key.age'])
  await home.ok(['set', 'b'], { stdin: 'v' })
  await home.ok(['store', 'use', 'file', '--key-file', '--path', 'mine.age', '--identity', 'mine-key.age'])
  await home.ok(['set', 'a'], { stdin: 'v' })
  const lock = join(home.folder, 'work/mine.age.lock')
  const holder = new Started(spawn('flock', [lock, 'sh', '-c', 'echo held; read line']))
  t.teardown(() => holder.end())
  await holder.expect(/held\n/)
  return home
}

for (const args of [
  ['set', 'n=v'],
  ['rm', 'a'],
  ['mv', 'a', 'b'],
  ['cp', 'a', 'b'],
  ['generate', 'n'],
  ['edit', 'a'],
  ['store', 'import', 'file', '--path', 'other.age', '--identity', 'other-key.age'],
  ['store', 'rotate'],
  ['store', 'passphrase', '--remove'],
]) {
  linux(`se ${args.join(' ')} does not wait for ever for a file that is locked`, async (t) => {
    const home = await homeWithLockedFile(t)
    const { stderr, status } = await home.se(args, { env: { SE_TIMEOUT_MS: '500', EDITOR: 'sed -i s/v/w/' } })
    t.regex(stderr, /^(se|ERR: a): .* took longer than 500 ms and was abandoned\n/)
    if (args[0] !== 'rm')
      t.regex(stderr, /\nhint: .* give it more time with SE_TIMEOUT_MS, or timeout_ms in config.toml\n/)
    const [, kept] = /what you wrote is in (\S+): /.exec(stderr) ?? []
    if (kept !== undefined) rmSync(dirname(kept), { recursive: true })
    t.is(kept !== undefined, args[0] === 'edit')
    t.is(status, 1)
  })
}

for (const args of [['ls'], ['get', 'a'], ['env', '-e', 'A=se://a']]) {
  test(`se ${args.join(' ')} is bounded by timeout_ms`, async (t) => {
    const home = createHome((fn) => t.teardown(fn))
    const env = { SE_PASSPHRASE: 'correct horse' }
    await home.ok(['store', 'use', 'file'], { env })
    await home.ok(['set', 'a'], { stdin: 'v', env })
    // Opening such a key takes most of a second.
    const { stderr, status } = await home.se(args, { env: { ...env, SE_TIMEOUT_MS: '100' } })
    t.regex(stderr, /took longer than 100 ms and was abandoned\nhint: .*SE_TIMEOUT_MS/)
    t.is(status, 1)
  })
}
