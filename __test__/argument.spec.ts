// What TypeScript would have refused is refused with a code too, and is not repeated: it may be a value.
import test from 'ava'
import {
  createEngine,
  openStore,
  parsePattern,
  resolve,
  resolveAll,
  resolveEach,
  resolveEnv,
  Secret,
  SecretsError,
} from '../src/index.js'

const wrong = 'v4lue' as never

test('arguments of the wrong kind are refused with a code, and not repeated', async (t) => {
  const store = await openStore({ kind: 'memory' })
  const engine = await createEngine({ plugins: [] })
  const calls: Record<string, () => unknown> = {
    'resolve a number': () => resolve(5 as never, { engine }),
    'resolveAll a number': () => resolveAll(5 as never, { engine }),
    'resolveEach a string': () => resolveEach(wrong, { engine }),
    'resolveEnv a number': () => resolveEnv({ A: 5 as never }, { engine }),
    'a policy that is none': () => resolve('se://a', { engine, policy: 'frist' as never }),
    'a plugin that was not made': () => createEngine({ plugins: [{ name: 'x', getSecrets: () => [] } as never] }),
    'no plugin': () => createEngine({ plugins: [undefined as never] }),
    'getMany nothing': () => store.getMany(undefined as never),
    'getMany numbers': () => store.getMany([5 as never]),
    'set metadata text': () => store.set('a', 'x', { metadata: wrong }),
    'set metadata array': () => store.set('a', 'x', { metadata: [wrong] as never }),
    'set metadata map': () => store.set('a', 'x', { metadata: new Map([['k', 'v4lue']]) as never }),
    'set metadata half a character': () => store.set('a', 'x', { metadata: { k: 'v4lue\ud800' } }),
    'set metadata number': () => store.set('a', 'x', { metadata: { k: 5 as never } }),
    'a path that is none': () => openStore({ kind: 'file', path: 5 as never }),
    'a service that is none': () => openStore({ kind: 'entries', service: {} as never }),
    'a value that is none': () => store.set('a', 5 as never),
    'includes a text': () => parsePattern('a').includes(wrong),
    'overlaps a text': () => parsePattern('a').overlaps(wrong),
    'no options': () => resolve('se://a', null as never),
    'a signal that is none': () => resolve('se://a', { engine, signal: {} as never }),
    'a limit that is none': () => store.get('a', { timeoutMs: '5' as never }),
    'a misspelt option of set': () => store.set('a', 'x', { overwite: true } as never),
    'a misspelt option of list': () => store.list('**', { time: false } as never),
    'a misspelt option of rename': () => store.rename('a', 'b', { force: true } as never),
    'equals a text': () => Secret.from('a', 'x').equals(wrong),
  }
  for (const [what, call] of Object.entries(calls)) {
    await t.throwsAsync(resolve('se://a', { timeoutMS: 1 } as never), { code: 'SE_INVALID_OPTION' })
    await t.throwsAsync(openStore('file' as never), { message: 'options must be an object, and is string' })
    const error = await (async () => call())().then(
      () => undefined,
      (error: unknown) => error,
    )
    t.true(SecretsError.is(error), `${what}: ${error}`)
    t.false(String((error as Error).message).includes('v4lue'), what)
  }
  t.deepEqual(await store.list(), [])
})

test('an option that does not exist is refused, and the nearest is named', async (t) => {
  await t.throwsAsync(openStore({ kind: 'file', create: true, pasphrase: 'x' } as never), {
    code: 'SE_INVALID_OPTION',
    message: 'there is no option "pasphrase"',
  })
  const error = await t.throwsAsync<SecretsError>(createEngine({ plugins: [], prioriti: [] } as never))
  t.is(error?.hint, 'did you mean priority?')
})
