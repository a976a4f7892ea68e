import { readFileSync } from 'node:fs'
import { inspect } from 'node:util'
import { runInNewContext } from 'node:vm'
import test from 'ava'
import { createError } from '../src/errors/secrets-error.js'
import * as library from '../src/index.js'
import { CODES, type ErrorCode, SecretsError } from '../src/index.js'
import { native } from '../src/native/load.js'
import { unwrap } from '../src/native/outcome.js'

const codes = Object.keys(CODES) as ErrorCode[]

test('every code of the native part is in the table', (t) => {
  const known: readonly string[] = codes
  t.deepEqual(
    native()
      .nativeErrorCodes()
      .filter((code) => !known.includes(code)),
    [],
  )
})

test('docs/errors.md has one entry for each code, with the class, exit status, wire code and meaning of the table', (t) => {
  const entries = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8')
    .split('\n## ')
    .slice(1)
  t.deepEqual(
    entries.map((entry) => entry.split('\n', 1)[0]),
    codes,
  )
  for (const [index, entry] of entries.entries()) {
    const code = codes[index] as ErrorCode
    const facts = CODES[code]
    const [, , line, , text, , advice] = entry.split('\n')
    t.is(line, `\`${facts.class}\` · exit ${facts.exit} · \`${facts.connect}\``, code)
    t.true(text?.startsWith(facts.meaning), code)
    t.true(advice?.startsWith('**What to do.** '), code)
  }
})

test('an error is of the class that its code has in the table', (t) => {
  for (const code of codes) {
    const error = createError(code, 'it failed')
    t.true(error instanceof library[CODES[code].class])
    t.true(error instanceof SecretsError && error instanceof Error)
    t.is(error.name, CODES[code].class)
    t.is(error.code, code)
    t.true(error.stack?.startsWith(`${CODES[code].class}: it failed`))
  }
})

test('SecretsError.is recognises an error of another copy by its brand, and nothing else', (t) => {
  const other = runInNewContext(
    "class Theirs extends Error { get [Symbol.for('se-native.SecretsError')]() { return true } }; new Theirs()",
  )
  t.true(SecretsError.is(other))
  t.true(SecretsError.is(createError('SE_LOCKED', 'locked')))
  for (const no of [new Error('x'), { code: 'SE_LOCKED' }, null, undefined, 'SE_LOCKED', 1])
    t.false(SecretsError.is(no))
})

test('an error as JSON has neither its cause nor its stack', (t) => {
  const error = createError('SE_LOCKED', 'it is locked', {
    hint: 'unlock it',
    details: { id: 'a/b' },
    cause: new Error('inner'),
  })
  t.deepEqual(JSON.parse(JSON.stringify(error)), {
    name: 'AccessError',
    code: 'SE_LOCKED',
    message: 'it is locked',
    hint: 'unlock it',
    details: { id: 'a/b' },
  })
  t.true(inspect(error).includes('inner'), 'the cause stays in the process')
  t.false('cause' in createError('SE_LOCKED', 'x'))
  t.false('hint' in createError('SE_LOCKED', 'x').toJSON())
})

test('the details of an error cannot be changed', (t) => {
  const error = createError('SE_LOCKED', 'x', { details: { id: 'a' } })
  t.throws(() => Object.assign(error.details, { id: 'b' }), { instanceOf: TypeError })
})

test('a failure of the native part becomes an error with its hint, details and cause', (t) => {
  const failure = { code: 'SE_WRONG_KEY', message: 'no', hint: 'try', details: { path: 'p' }, cause: 'deep: deeper' }
  const error = t.throws(() => unwrap({ error: failure }), { code: 'SE_WRONG_KEY' }) as SecretsError
  t.like(error, { message: 'no', hint: 'try', details: { path: 'p' }, cause: { message: 'deep: deeper' } })
})

test('a code that only a newer native part knows becomes SE_INTERNAL, and is kept in the details', (t) => {
  const failure = { code: 'SE_FROM_THE_FUTURE', message: 'no', details: {} }
  const error = t.throws(() => unwrap({ error: failure }), { code: 'SE_INTERNAL' }) as SecretsError
  t.deepEqual(error.details, { code: 'SE_FROM_THE_FUTURE' })
})
