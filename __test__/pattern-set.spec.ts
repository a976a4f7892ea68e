import test from 'ava'
import fc from 'fast-check'
import { PatternSet, parsePattern, SecretsError } from '../src/index.js'
import { vectors } from './helpers/pattern-vectors.js'

const texts = vectors.matches.map(({ pattern }) => pattern)

/** Small sets answer in JavaScript, large ones natively. */
const sizes = [1, 2, 12, 13, texts.length]

for (const size of sizes) {
  test(`a set of ${size} patterns finds those that match, as the vectors say`, (t) => {
    const set = PatternSet.compile(texts.slice(0, size))
    t.is(set.size, size)
    const pairs: number[] = []
    for (const [row, id] of vectors.rows.entries()) {
      const expected = [...Array(size).keys()].filter((n) => vectors.matches[n]?.rows.includes(row))
      t.deepEqual(set.matches(id), expected, id)
      for (const pattern of expected) pairs.push(row, pattern)
    }
    t.deepEqual([...set.matchMany(vectors.rows)], pairs)
    t.deepEqual([...set.matchMany(new Set(vectors.rows))], pairs)
  })

  test(`a set of ${size} patterns matches no text that is not an id`, (t) => {
    const wrong = ['', '/', 'a/', 'a\nb', 'a b', 'é', 'š', '\ud800', 'a\0', 'x'.repeat(4097), 'é'.repeat(5000), '**']
    const set = PatternSet.compile(Array(size).fill('**'))
    for (const text of wrong) t.deepEqual(set.matches(text), [], text.slice(0, 10))
    // They do not shift the positions of the others either.
    const ids = [...wrong, 'a', ...wrong, 'a/b']
    const found = set.matchMany(ids).filter((_, n) => n % 2 === 0)
    t.deepEqual([...new Set(found)], [wrong.length, 2 * wrong.length + 1])
    t.is(found.length, 2 * size)
  })
}

test('a set of no patterns matches nothing', (t) => {
  const set = PatternSet.compile([])
  t.is(set.size, 0)
  t.deepEqual(set.matches('a'), [])
  t.is(set.matchMany(['a']).length, 0)
})

test('no ids give no pairs', (t) => {
  for (const size of sizes) t.is(PatternSet.compile(Array(size).fill('**')).matchMany([]).length, 0)
})

test('a set takes parsed patterns and refuses texts that are none', (t) => {
  t.deepEqual(PatternSet.compile([parsePattern('a/*'), 'a/b']).matches('a/b'), [0, 1])
  const error = t.throws(() => PatternSet.compile(['a', 'a*']), {
    instanceOf: SecretsError,
    code: 'SE_INVALID_PATTERN',
  })
  t.is(error.details['at'], 1)
})

test('the longest id is matched', (t) => {
  const id = 'x'.repeat(4096)
  t.deepEqual(PatternSet.compile(Array(20).fill(id)).matches(id), [...Array(20).keys()])
})

test('any set answers as its patterns do one by one', (t) => {
  const component = fc.constantFrom('a', 'b', 'c')
  const path = <T>(of: fc.Arbitrary<T>) => fc.array(of, { minLength: 1, maxLength: 6 }).map((parts) => parts.join('/'))
  const pattern = path(fc.oneof(component, fc.constantFrom('*', '**')))
  fc.assert(
    fc.property(fc.array(pattern, { maxLength: 40 }), fc.array(path(component)), (patterns, ids) => {
      const set = PatternSet.compile(patterns)
      const parsed = patterns.map(parsePattern)
      for (const id of ids)
        t.deepEqual(
          set.matches(id),
          [...parsed.keys()].filter((n) => parsed[n]?.matches(id)),
        )
    }),
  )
})
