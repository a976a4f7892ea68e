// Arguments, standard input and configuration that nobody would write: a clear error with its status, no crash, and
// nothing changed. Bounded, since each run starts a process.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { checkBundle, createFileHome, type Ended, type Home } from '../helpers/se.js'

test.before(checkBundle)

const ROUNDS = { numRuns: 25 }

/** A command ended as one of ours does: a known status, and a problem line where it failed. */
function endedWell(t: ExecutionContext, { status, stderr }: Ended, what: string): void {
  t.true(typeof status === 'number' && status <= 5, `${what}: ${status}`)
  if (status !== 0) t.regex(stderr, /^(se|ERR): ?/, what)
  t.notRegex(stderr, /fault of se|\n\s+at |Error:/, what)
}

async function homeWithFile(t: ExecutionContext): Promise<Home> {
  const home = await createFileHome((fn) => t.teardown(fn))
  await home.ok(['set', 'kept'], { stdin: 'value' })
  return home
}

const text = fc.oneof(fc.string(), fc.string({ unit: 'binary' })).map((word) => word.replaceAll('\0', ''))

test('any arguments end well, and change nothing', async (t) => {
  const home = await homeWithFile(t)
  const command = fc.constantFrom('set', 'get', 'ls', 'rm', 'mv', 'cp', 'generate', 'store', 'env', 'version', 'help')
  const word = fc.oneof(
    text,
    text.map((word) => `--${word}`),
    text.map((word) => `-${word}`),
    fc.constantFrom('--json', '--metadata', '--', '-', '', '--store=file', '../../etc', 'a//b', 'x'.repeat(5000)),
  )
  await fc.assert(
    fc.asyncProperty(command, fc.array(word, { minLength: 1, maxLength: 4 }), async (name, words) => {
      // Ids that cannot be valid: none of these lines may succeed in writing.
      const flags = words.includes('--') ? words.indexOf('--') + 1 : words.length
      const args = [
        name,
        ...words.map((one, at) => (one.length > 1 && one.startsWith('-') && at < flags ? one : `${one}/`)),
      ]
      endedWell(t, await home.se(args), JSON.stringify(args))
    }),
    ROUNDS,
  )
  t.is(await home.ok(['ls']), 'kept\n')
  t.is(await home.ok(['get', 'kept', '--reveal']), 'value')
})

test('any standard input is kept or refused, and what is kept is read back', async (t) => {
  const home = await homeWithFile(t)
  const input = fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    fc.json({ maxDepth: 3 }).map((json) => Buffer.from(json)),
    fc.record({ secret: fc.jsonValue(), metadata: fc.jsonValue() }).map((value) => Buffer.from(JSON.stringify(value))),
    fc
      .constantFrom('{"secret":', '{"secret":"\\ud800"}', '{"secret":"a","secret":"b"}', '\n\n', '\r\n')
      .map(Buffer.from),
  )
  await fc.assert(
    fc.asyncProperty(input, async (bytes) => {
      const verbatim = await home.se(['set', 'verbatim', '--verbatim', '--force'], { stdin: bytes })
      t.is(verbatim.status, 0, verbatim.stderr)
      t.deepEqual((await home.se(['get', 'verbatim', '--reveal'])).stdout, bytes)
      const line = await home.se(['set', 'line', '--force'], { stdin: bytes })
      endedWell(t, line, JSON.stringify(bytes.toString()))
      if (line.status === 0) await home.ok(['get', 'line', '--reveal'])
    }),
    { numRuns: 10 },
  )
})

test('any configuration is understood or refused, and stays as it is', async (t) => {
  const home = await homeWithFile(t)
  const file = join(home.folder, 'config/se-native/config.toml')
  mkdirSync(join(home.folder, 'config/se-native'), { recursive: true })
  const line = fc.oneof(
    text,
    fc
      .tuple(fc.constantFrom('store', 'store_path', 'identity', 'timeout_ms'), text)
      .map(([key, value]) => `${key} = ${value}`),
    fc
      .tuple(fc.constantFrom('store', 'store_path', 'timeout_ms'), fc.jsonValue())
      .map(([key, value]) => `${key} = ${JSON.stringify(value)}`),
  )
  await fc.assert(
    fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 3 }), async (lines) => {
      const toml = lines.join('\n')
      writeFileSync(file, toml)
      endedWell(t, await home.se(['ls']), toml)
      t.is(readFileSync(file, 'utf8'), Buffer.from(toml).toString())
    }),
    ROUNDS,
  )
})

test('a store file that is truncated, altered or replaced is refused, and stays as it is', async (t) => {
  const home = await homeWithFile(t)
  const file = join(home.folder, 'data/se-native/store.age')
  const whole = readFileSync(file)
  await fc.assert(
    fc.asyncProperty(
      fc.nat(whole.length - 1),
      fc.integer({ min: 1, max: 255 }),
      fc.boolean(),
      async (at, change, cut) => {
        const bad = cut ? whole.subarray(0, at) : Buffer.from(whole)
        if (!cut) bad[at] = (bad[at] ?? 0) ^ change
        writeFileSync(file, bad, { mode: 0o600 })
        for (const args of [['ls'], ['get', 'kept', '--reveal'], ['set', 'new=value']]) {
          const ended = await home.se(args)
          t.not(ended.status, 0, `${cut ? 'cut' : 'altered'} at ${at}`)
          endedWell(t, ended, `${cut ? 'cut' : 'altered'} at ${at}`)
          t.is(ended.stdout.length, 0)
        }
        t.deepEqual(readFileSync(file), bad)
      },
    ),
    { numRuns: 8 },
  )
  writeFileSync(file, whole)
  t.is(await home.ok(['get', 'kept', '--reveal']), 'value')
})
