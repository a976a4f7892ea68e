import test from 'ava'
import { isReference, parseReference, SecretsError } from '../src/index.js'
import { vectors } from './helpers/pattern-vectors.js'

test('a reference to an id has that id', (t) => {
  const reference = parseReference('se://team/db/password')
  t.is(reference.text, 'se://team/db/password')
  t.is(reference.id, 'team/db/password')
  t.is(reference.pattern.text, 'team/db/password')
})

test('a reference with a wildcard has a pattern and no id', (t) => {
  const reference = parseReference('se://docker/auth/**')
  t.is(reference.id, undefined)
  t.true(reference.pattern.matches('docker/auth/hub'))
})

test('se:// and a pattern is a reference, se:// and anything else is none', (t) => {
  for (const { text, at } of vectors.patterns) {
    const short = JSON.stringify(text.slice(0, 40))
    if (at === null) {
      t.is(parseReference(`se://${text}`).pattern.text, text)
    } else {
      const error = t.throws(() => parseReference(`se://${text}`), { code: 'SE_INVALID_REFERENCE' }, short)
      t.is((error as SecretsError).details['at'], at + 5, short)
    }
  }
})

test('only what begins with se:// claims to be a reference', (t) => {
  t.true(isReference('se://'))
  for (const text of ['', 'se:/a', 'SE://a', ' se://a', 'x se://a', 'team/db']) {
    t.false(isReference(text))
    t.throws(() => parseReference(text), { code: 'SE_INVALID_REFERENCE' })
  }
})

test('a text that is no reference is not repeated, since it may be a value', (t) => {
  const error = t.throws(() => parseReference('hunter2-canary'), { instanceOf: SecretsError })
  t.false(JSON.stringify([error.message, error.hint, error.details]).includes('canary'))
})

test('anything but a string is no reference', (t) => {
  for (const value of [undefined, null, 5, ['se://a']]) {
    const error = t.throws(() => parseReference(value as unknown as string), { code: 'SE_INVALID_REFERENCE' })
    t.regex(error?.message ?? '', /expected a string/)
  }
})
