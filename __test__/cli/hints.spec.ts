import test from 'ava'
import { hintOf } from '../../src/cli/hints.js'
import { pick } from '../../src/engine/pick.js'
import { SecretsError } from '../../src/errors/secrets-error.js'

function hintFor(...answers: [id: string, plugin: string][]): string | undefined {
  const secrets = answers.map(([id, plugin]) => ({ id, plugin, createdAt: undefined }))
  const error = pick('se://x', { secrets, outcomes: [] })
  return SecretsError.is(error) ? hintOf(error) : undefined
}

test('of several answers one is named by its id, where they have different ones', (t) => {
  t.is(hintFor(['a', 'one'], ['b', 'one']), 'write the ID of one')
  t.is(hintFor(['a', 'one'], ['a', 'two'], ['b', 'one']), 'write the ID of one')
  t.is(
    hintFor(['a', 'one'], ['a', 'two']),
    'several plugins have it: se plugins disable two keeps one of them from answering',
  )
})
