// The installed package, as an ES module.
import assert from 'node:assert/strict'
import { createEngine, keychain, openStore, resolve, Secret, SecretsError, VERSION } from 'se-native'
import { Canary, createTestEngine } from 'se-native/testing'

const store = await openStore({ kind: 'memory' })
await store.set('team/db/password', 'value')
const engine = await createEngine({ plugins: [keychain({ store })] })
assert.equal(await resolve('se://team/db/password', { engine }).text(), 'value')
await assert.rejects(resolve('se://no', { engine }), (error) => SecretsError.is(error) && error.code === 'SE_NOT_FOUND')
assert.equal(`${Secret.from('a', Canary.random().text)}`, '[redacted]')
assert.equal(await resolve('se://a', { engine: (await createTestEngine({ a: 'b' })).engine }).text(), 'b')
assert.match(VERSION, /^\d+\.\d+\.\d+/)
