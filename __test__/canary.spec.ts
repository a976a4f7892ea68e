// A value that is known goes through every part of the library, with success and with failure. It may come out where a
// value was asked for, and nowhere else.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import test from 'ava'
import {
  createEngine,
  definePlugin,
  keychain,
  openStore,
  redact,
  resolve,
  resolveAll,
  resolveEach,
  resolveEnv,
  Secret,
  type Store,
} from '../src/index.js'
import { Canary, createTestStore } from '../src/testing/index.js'
import { canaryInFiles } from './helpers/canary.js'

const canary = Canary.random()
const binary = Buffer.concat([canary.bytes, Buffer.from([0xff, 0])])

/** What came out of each call: its result or its error, in every form that a log could take. */
async function outcomes(calls: Record<string, () => unknown>): Promise<Record<string, string>> {
  const shown: Record<string, string> = {}
  for (const [name, call] of Object.entries(calls)) {
    let result: unknown
    try {
      result = await call()
    } catch (error) {
      result = error
    }
    const stack = result instanceof Error ? result.stack : ''
    shown[name] = [inspect(result, { depth: 12, showHidden: true, getters: true }), JSON.stringify(result), stack].join(
      '\n',
    )
  }
  return shown
}

function calls(store: Store): Record<string, () => unknown> {
  const value = canary.text
  return {
    set: () => store.set('a/b', value, { metadata: { owner: 'me' } }),
    'set bytes': () => store.set('a/c', binary),
    'set taken': () => store.set('a/b', value),
    'set many': () =>
      store.setMany([
        { id: 'x', value },
        { id: 'x', value },
      ]),
    'set with a bad id': () => store.set('a//b', value),
    'set too much metadata': () => store.set('m', value, { metadata: { note: 'x'.repeat(70_000) } }),
    'set too long': () => store.set('m', value.repeat(600_000)),
    'set no text': () => store.set('m', `${value}\ud800`),
    'set a list': () => store.set('m', [value] as never),
    get: () => store.get('a/b'),
    'get none': () => store.get('a/none'),
    'get many': () => store.getMany('**'),
    list: () => store.list(),
    rename: () => store.rename('a/b', 'a/c'),
    'rename away': () => store.rename('a/b', 'a/d'),
    describe: () => store.describe(),
    'text of bytes': async () => (await store.get('a/c')).text(),
    delete: () => store.delete('a/d'),
    'set again': () => store.set('a/b', Secret.from('s', value)),
    abort: () => store.set('z', value, { signal: AbortSignal.abort() }),
  }
}

for (const kind of ['memory', 'file'] as const) {
  test(`${kind}: no result or error of a store shows the value, and no file holds it`, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'se-canary-'))
    t.teardown(() => rmSync(folder, { recursive: true }))
    const store = await openStore({ kind, ...(kind === 'file' && { path: join(folder, 'store.age'), create: true }) })
    for (const [name, shown] of Object.entries(await outcomes(calls(store)))) {
      t.is(canary.foundIn(shown), undefined, name)
    }
    t.true((await store.get('a/b')).equals(canary.bytes))
    store.close()
    t.deepEqual(canaryInFiles(canary, folder), [])
    t.is(readdirSync(folder).length > 0, kind === 'file')
  })
}

test('no result or error of the engine and of resolving shows the value', async (t) => {
  const { store, faults } = await createTestStore({ text: canary.text, 'a/binary': binary, 'a/other': canary.text })
  const thrower = definePlugin({
    name: 'thrower',
    version: 'v1.0.0',
    pattern: 'thrown/**',
    getSecrets: () => Promise.reject(Object.assign(new Error('no'), { code: canary.text.toUpperCase() })),
  })
  const liar = definePlugin({
    name: 'liar',
    version: 'v1.0.0',
    pattern: 'lie/**',
    getSecrets: () => [
      { id: 'other', value: canary.text },
      { id: 'lie/list', value: [canary.text] as never },
    ],
  })
  const engine = await createEngine({ plugins: [keychain({ store }), thrower, liar] })
  const shown = await outcomes({
    resolve: () => resolve('se://text', { engine }),
    all: () => resolveAll('se://**', { engine }),
    each: () => resolveEach(['se://text', 'se://a/*', 'se://none', 'se://thrown/x', 'se://lie/list'], { engine }),
    several: () => resolve('se://a/*', { engine }),
    'binary text': () => resolve('se://a/binary', { engine }).text(),
    'binary in an environment': () => resolveEnv({ A: 'se://a/binary', B: 'se://text', C: 'se://none' }, { engine }),
    'groups in an environment': () =>
      resolveEnv({ OTHER: 'x' }, { engine, from: ['se://a/*', 'se://**', 'se://none/*'] }),
    thrown: () => resolve('se://thrown/x', { engine }),
    redacted: () => redact('se://**', { engine, onFailure: () => {} }),
    'redacted text': async () => (await redact('se://text', { engine })).end(canary.text).toArray(),
    lie: () => resolve('se://lie/list', { engine }),
    explain: () => engine.explain('**'),
    batch: () => engine.getBatch(['**', 'lie/*']),
    plugins: () => engine.listPlugins(),
    locked: () => {
      faults.fail('getMany', 'SE_LOCKED', 1)
      return resolve('se://text', { engine })
    },
    'in use': () => resolve('se://text', { engine }).use(() => Promise.reject(new Error('mine'))),
  })
  for (const [name, text] of Object.entries(shown)) t.is(canary.foundIn(text), undefined, name)
  t.is(await resolve('se://text', { engine }).text(), canary.text)
})
