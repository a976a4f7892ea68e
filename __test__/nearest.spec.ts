import test from 'ava'
import fc from 'fast-check'
import { editDistance, nearest } from '../src/nearest.js'

for (const [from, to, distance] of [
  ['', '', 0],
  ['force', 'force', 0],
  ['froce', 'force', 1],
  ['forc', 'force', 1],
  ['forcee', 'force', 1],
  ['forse', 'force', 1],
  ['', 'abc', 3],
  ['kitten', 'sitting', 3],
] as const) {
  test(`"${from}" becomes "${to}" with ${distance} edits`, (t) => {
    t.is(editDistance(from, to), distance)
    t.is(editDistance(to, from), distance)
  })
}

test('the nearest word is found by a typing mistake, a case and a beginning', (t) => {
  const words = ['set', 'get', 'generate', 'doctor', 'completion']
  t.is(nearest('genrate', words), 'generate')
  t.is(nearest('DOCTOR', words), 'doctor')
  t.is(nearest('comp', words), 'completion')
  t.is(nearest('ste', words), 'set')
})

test('what is like nothing has no nearest word', (t) => {
  t.is(nearest('xyzzy', ['set', 'get', 'doctor']), undefined)
  t.is(nearest('a'.repeat(10_000), ['set']), undefined)
})

test('one edit away from a word, something is found', (t) => {
  const words = ['reveal', 'output', 'metadata']
  fc.assert(
    fc.property(fc.constantFrom(...words), fc.nat(), fc.string({ minLength: 1, maxLength: 1 }), (word, at, letter) => {
      const place = at % word.length
      t.not(nearest(word.slice(0, place) + letter + word.slice(place + 1), words), undefined)
    }),
  )
})
