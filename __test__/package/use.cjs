// The installed package, with require().
const assert = require('node:assert/strict')
const { openStore, SecretsError } = require('se-native')
const { createTestStore } = require('se-native/testing')

async function main() {
  const store = await openStore({ kind: 'memory' })
  await store.set('a', 'value')
  assert.equal((await store.get('a')).text(), 'value')
  const { store: other, faults } = await createTestStore({ a: 'x' })
  faults.fail('get', 'SE_LOCKED')
  await assert.rejects(other.get('a'), (error) => SecretsError.is(error) && error.code === 'SE_LOCKED')
}

main()
