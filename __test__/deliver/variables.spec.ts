import test from 'ava'
import { resolveEnv, type SecretsError } from '../../src/index.js'
import { createTestEngine } from '../../src/testing/index.js'

test('a variable that means a file is refused with what to do, beside the other problems', async (t) => {
  const { engine, faults } = await createTestEngine({ 'db/password': 'value' })
  const env = { DB_PASSWORD_FILE: 'se://db/password', OTHER: 'se://none', KEY_FILE: '/run/key' }
  const error = (await t.throwsAsync(resolveEnv(env, { engine }), { code: 'SE_UNRESOLVED' })) as SecretsError
  const problems = error.details['problems'] as { name: string; code: string; hint: string }[]
  t.deepEqual(
    problems.map(({ name, code }) => [name, code]),
    [
      ['DB_PASSWORD_FILE', 'SE_UNSUPPORTED'],
      ['OTHER', 'SE_NOT_FOUND'],
    ],
  )
  t.regex(problems[0]?.hint ?? '', /set DB_PASSWORD=se:\/\/db\/password/)
  t.is(faults.calls.filter((call) => call === 'getMany').length, 1)
})

test('a variable that means a file stays where its value is a path', async (t) => {
  const { engine } = await createTestEngine()
  t.deepEqual(await resolveEnv({ KEY_FILE: '/run/key' }, { engine }), { KEY_FILE: '/run/key' })
})
