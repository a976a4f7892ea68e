import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import test from 'ava'
import { createEngine, keychain, redact, Secret, type UnmaskedSecret } from '../../src/index.js'
import { createTestStore } from '../../src/testing/index.js'

async function engineWith(values: Record<string, string>) {
  const { store } = await createTestStore(values)
  return createEngine({ plugins: [keychain({ store })] })
}

/** What comes out of the stream for these chunks. */
async function through(stream: Awaited<ReturnType<typeof redact>>, chunks: readonly (string | Uint8Array)[]) {
  const out = text(stream)
  for (const chunk of chunks) stream.write(chunk)
  stream.end()
  return out
}

test('values of references and of secrets are replaced, however they are split', async (t) => {
  const engine = await engineWith({ 'app/a': 'correct horse', 'app/b': 'battery staple', other: 'left alone' })
  using secret = Secret.from('mine', 'a secret of mine')
  const stream = await redact(['se://app/*', secret], { engine })
  const shown = await through(stream, [
    '1 corr',
    'ect ho',
    Buffer.from('rse 2 battery stap'),
    'le a secret',
    ' of mine left alone',
  ])
  t.is(shown, '1 [se://app/a] 2 [se://app/b] [se://mine] left alone')
  t.false(secret.disposed)
})

test('one reference, or one secret, will do; the secret may be disposed before the stream is used', async (t) => {
  const engine = await engineWith({ a: 'correct horse' })
  t.is(await through(await redact('se://a', { engine }), ['correct horse']), '[se://a]')
  const secret = Secret.from('b', 'battery staple')
  const stream = await redact(secret)
  secret.dispose()
  t.is(await through(stream, ['"battery staple"']), '"[se://b]"')
  const error = await t.throwsAsync(redact(secret))
  t.is((error as { code?: string }).code, 'SE_DISPOSED')
})

test('bytes without a value pass as they are', async (t) => {
  const stream = await redact(Secret.from('a', 'correct horse'))
  const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * 7 + (index >> 8)) & 255))
  const out: Buffer[] = []
  await pipeline([bytes], stream, async (chunks: AsyncIterable<Buffer>) => {
    for await (const chunk of chunks) out.push(chunk)
  })
  t.deepEqual(Buffer.concat(out), bytes)
})

test('a prompt that begins like a value appears before the next bytes come', async (t) => {
  const stream = await redact(Secret.from('a', 'name: secret'))
  const shown = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>
  stream.write('name: ')
  t.is(String((await shown.next()).value), 'name: ')
  stream.end('secret.')
  t.is(String((await shown.next()).value), '[se://a].')
})

test('what is not masked is told', async (t) => {
  const engine = await engineWith({ pin: '1234', word: 'admin', token: 'hunter2' })
  const unmasked: UnmaskedSecret[] = []
  await redact('se://*', { engine, onUnmasked: (one) => unmasked.push(one) })
  t.deepEqual(unmasked, [
    { id: 'pin', reason: 'short' },
    { id: 'word', reason: 'common' },
  ])
})

test('wrong arguments and failures are refused', async (t) => {
  const codeOf = async (work: Promise<unknown>) => ((await t.throwsAsync(work)) as { code?: string }).code
  t.is(await codeOf(redact(1 as never)), 'SE_INVALID_OPTION')
  t.is(await codeOf(redact([1 as never])), 'SE_INVALID_REFERENCE')
  t.is(await codeOf(redact('se://a', { unmasked: true } as never)), 'SE_INVALID_OPTION')
  t.is(await codeOf(redact('a//b')), 'SE_INVALID_REFERENCE')
})
