import test from 'ava'
import { isId, parseId, SecretsError } from '../src/index.js'
import { vectors } from './helpers/pattern-vectors.js'

test('a text is an id exactly where the vectors say so, and the error names the offset', (t) => {
  for (const { text, at } of vectors.ids) {
    const short = JSON.stringify(text.slice(0, 40))
    t.is(isId(text), at === null, short)
    if (at === null) {
      t.is(parseId(text), text)
    } else {
      const error = t.throws(() => parseId(text), { instanceOf: SecretsError, code: 'SE_INVALID_ID' })
      t.is(error.details['at'], at, short)
    }
  }
})

test('anything but a string is no id', (t) => {
  for (const value of [undefined, null, 5, ['a'], { toString: () => 'a' }, new String('a')]) {
    t.false(isId(value))
    const error = t.throws(() => parseId(value as string), { instanceOf: SecretsError, code: 'SE_INVALID_ID' })
    t.regex(error.message, /expected a string/)
  }
})

const MESSAGES: [text: string, message: string, hint: RegExp][] = [
  ['', 'not an id: "" is empty', /team\/db\/password/],
  ['a b', 'not an id: "a b" has " " at offset 1', /A-Z a-z 0-9/],
  ['a/b/', 'not an id: "a/b/" ends with "/"', /remove/],
  ['/a', 'not an id: "/a" has an empty component at offset 0', /one "\/" between/],
  ['a//b', 'not an id: "a//b" has an empty component at offset 2', /one "\/" between/],
  ['a\\b', 'not an id: "a\\\\b" has "\\\\" at offset 1', /separated by "\/"/],
  ['team/*', 'not an id: "team/*" has "*" at offset 5', /no wildcards/],
  ['se://team/db', 'not an id: "se://team/db" begins with "se://"', /leave se:\/\/ out/],
  ['a/😀', 'not an id: "a/😀" has "😀" at offset 2', /A-Z a-z 0-9/],
  ['x'.repeat(4097), `not an id: …"${'x'.repeat(80)}" is 4097 characters long`, /at most 4096/],
]

for (const [text, message, hint] of MESSAGES) {
  test(`the error for ${JSON.stringify(text.slice(0, 20))} says what is wrong and what to do`, (t) => {
    const error = t.throws(() => parseId(text), { instanceOf: SecretsError })
    t.is(error.message, message)
    t.regex(error.hint ?? '', hint)
  })
}
