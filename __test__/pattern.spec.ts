import test from 'ava'
import { Pattern, parsePattern, SecretsError } from '../src/index.js'
import { vectors } from './helpers/pattern-vectors.js'

const patterns = vectors.matches.map(({ pattern }) => parsePattern(pattern))

test('a text is a pattern exactly where the vectors say so, and the error names the offset', (t) => {
  for (const { text, at } of vectors.patterns) {
    const short = JSON.stringify(text.slice(0, 40))
    if (at === null) {
      t.is(parsePattern(text).text, text)
    } else {
      const error = t.throws(() => parsePattern(text), { instanceOf: SecretsError, code: 'SE_INVALID_PATTERN' }, short)
      t.is(error?.details['at'], at, short)
    }
  }
})

test('a pattern matches the ids that the vectors say', (t) => {
  for (const [n, pattern] of patterns.entries()) {
    const rows = new Set(vectors.matches[n]?.rows)
    for (const [row, id] of vectors.rows.entries()) {
      t.is(pattern.matches(id), rows.has(row), `${pattern} matches ${id}`)
    }
  }
})

test('patterns include and overlap each other as the vectors say', (t) => {
  for (const [n, a] of patterns.entries()) {
    for (const [m, b] of patterns.entries()) {
      const relation = vectors.relations[n]?.[m] ?? null
      t.is(a.includes(b), relation !== null && relation > 0, `${a} includes ${b}`)
      t.is(a.overlaps(b), relation !== null, `${a} overlaps ${b}`)
    }
  }
})

test('a text that is not an id is matched by no pattern', (t) => {
  for (const text of ['', '/', 'a/', '/a', 'a//a', 'a b', 'a/é', '*', '**', 'a/*', 'x'.repeat(4097)]) {
    for (const pattern of ['**', '*', '*/*', 'a/**', '**/a', '**/*']) t.false(parsePattern(pattern).matches(text), text)
  }
})

test('the error for a misplaced wildcard explains wildcards', (t) => {
  for (const text of ['foo*', '*foo', '***', 'a/b*/c']) {
    const error = t.throws(() => parsePattern(text), { instanceOf: SecretsError })
    t.regex(error.hint ?? '', /a wildcard is a whole component/)
  }
})

test('a pattern prints as its text', (t) => {
  const pattern = parsePattern('a/**')
  t.is(`${pattern}`, 'a/**')
  t.is(JSON.stringify({ pattern }), '{"pattern":"a/**"}')
  t.true(pattern instanceof Pattern)
})

test('patterns made to be slow, as long as they may be, are answered', (t) => {
  // With backtracking each of these would not end before the universe does.
  const filled = (unit: string, end: string): string => unit.repeat((4096 - end.length) / unit.length) + end
  const slow = ['**/', '**/a/', '**/*/', '*/', '**/**/a/', 'a/**/', '**/a/a/a/', '**/a/*/', '*/**/a/*/b/**/'].flatMap(
    (unit) => ['a', 'b', '**', 'z'].map((end) => parsePattern(filled(unit, end))),
  )
  const ids = ['a/', 'a/b/', 'a/a/a/b/'].map((unit) => filled(unit, 'a'))
  for (const a of slow) {
    for (const id of ids) t.is(a.matches(id), a.includes(parsePattern(id)))
    for (const b of slow) {
      t.is(a.overlaps(b), b.overlaps(a))
      if (a.includes(b)) t.true(a.overlaps(b))
    }
  }
})
