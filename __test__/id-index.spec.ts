import test from 'ava'
import fc from 'fast-check'
import { IdIndex, parsePattern, SecretsError } from '../src/index.js'
import { vectors } from './helpers/pattern-vectors.js'

test('an index counts and lists the ids that match, as the vectors say', (t) => {
  const index = IdIndex.from(vectors.rows)
  t.is(index.size, vectors.rows.length)
  t.true(index.byteLength > 0)
  for (const { pattern, rows } of vectors.matches) {
    t.is(index.count(pattern), rows.length, pattern)
    t.deepEqual([...index.rows(parsePattern(pattern))], rows, pattern)
    const ids = rows.map((row) => vectors.rows[row] as string)
    t.deepEqual(index.list(pattern), ids, pattern)
  }
})

test('any index answers as each of its ids does, in the order of the tree', (t) => {
  // Components that sort before and after the slash.
  const component = fc.constantFrom('a', 'b', 'a-', 'a.b', 'aa')
  const path = <T>(of: fc.Arbitrary<T>) => fc.array(of, { minLength: 1, maxLength: 6 }).map((parts) => parts.join('/'))
  const pattern = path(fc.oneof(component, fc.constantFrom('*', '**')))
  const key = (id: string): string => id.replaceAll('/', '\0')
  fc.assert(
    fc.property(fc.array(path(component), { maxLength: 60 }), fc.array(pattern), (ids, patterns) => {
      const index = IdIndex.from(new Set(ids).size % 2 === 0 ? ids : ids.values())
      for (const text of patterns) {
        const pattern = parsePattern(text)
        const rows = [...ids.keys()].filter((row) => pattern.matches(ids[row] as string))
        rows.sort((a, b) =>
          key(ids[a] as string) < key(ids[b] as string)
            ? -1
            : key(ids[a] as string) > key(ids[b] as string)
              ? 1
              : a - b,
        )
        t.deepEqual([...index.rows(text)], rows)
        t.is(index.count(pattern), rows.length)
        t.deepEqual(
          index.list(text),
          rows.map((row) => ids[row] as string),
        )
      }
    }),
  )
})

test('an id that comes twice has two rows', (t) => {
  const index = IdIndex.from(['b', 'a/x', 'b', 'a'])
  t.deepEqual([...index.rows('**')], [3, 1, 0, 2])
  t.deepEqual(index.list('*'), ['a', 'b', 'b'])
})

test('more ids than cross in one portion are indexed', (t) => {
  const ids = Array.from(
    { length: 200_000 },
    (_, n) => `realm-${n % 7}/service-${n % 1000}/${n}/${n % 2 === 0 ? 'token' : 'key'}`,
  )
  const index = IdIndex.from(ids)
  t.is(index.size, ids.length)
  t.is(index.count('**/token'), 100_000)
  t.is(index.count('realm-3/**'), ids.filter((id) => id.startsWith('realm-3/')).length)
  t.deepEqual(index.list('*/*/199999/*'), ['realm-2/service-999/199999/key'])
  t.deepEqual([...index.rows('*/*/199999/*')], [199_999])
})

test('an empty index matches nothing', (t) => {
  const index = IdIndex.from([])
  t.is(index.size, 0)
  t.is(index.count('**'), 0)
  t.deepEqual(index.list('**'), [])
  t.deepEqual([...index.rows('a')], [])
})

for (const wrong of ['', 'a b', 'a\nb', 'a\n', 'a/', 'š', '*', 'x'.repeat(4097), undefined, 5]) {
  test(`an index refuses ${JSON.stringify(String(wrong).slice(0, 10))} and names its row`, (t) => {
    const ids = [...Array(70_000).fill('a'), wrong, 'b'] as string[]
    const error = t.throws(() => IdIndex.from(ids), { instanceOf: SecretsError, code: 'SE_INVALID_ID' })
    t.is(error.details['row'], 70_000)
    t.regex(error.message, /, in row 70000$/)
  })
}

test('an index refuses texts that are no pattern', (t) => {
  const index = IdIndex.from(['a'])
  const asks = [() => index.count('a*'), () => index.rows('a*'), () => index.list('a*')]
  for (const ask of asks) t.throws(ask, { code: 'SE_INVALID_PATTERN' })
})
