import { readFileSync } from 'node:fs'
import test from 'ava'
import fc from 'fast-check'
import { groupName, isPrefix, nameFault } from '../../src/deliver/group-name.js'
import { parsePattern } from '../../src/index.js'

/** How groups name their variables, for the native launcher as well. */
interface Vectors {
  /** Whether a text may be a prefix. */
  prefixes: { text: string; good: boolean }[]
  /** What a secret of a group is named, and what is wrong with that name. */
  names: { what: string; pattern: string; id: string; prefix?: string; name: string; problem?: string }[]
}

const vectors = JSON.parse(readFileSync(new URL('../vectors/group-names.json', import.meta.url), 'utf8')) as Vectors

for (const { what, pattern, id, prefix, name, problem } of vectors.names) {
  test(`${what}: ${pattern} makes ${prefix ?? ''}… of ${id}`, (t) => {
    t.true(parsePattern(pattern).matches(id))
    t.is(groupName(pattern, id, prefix), name)
    t.is(nameFault(name), problem as ReturnType<typeof nameFault>)
  })
}

test('a prefix is what a name may begin with', (t) => {
  for (const { text, good } of vectors.prefixes) t.is(isPrefix(text), good, JSON.stringify(text))
})

const component = fc.constantFrom('a', 'b', 'c')
const anyId = fc.array(component, { minLength: 1, maxLength: 7 })
const anyPattern = fc.array(fc.oneof(component, fc.constantFrom('*', '**')), { minLength: 1, maxLength: 7 })

test('whatever a pattern matches has a name of what its wildcards took', (t) => {
  let named = 0
  fc.assert(
    fc.property(anyPattern, anyId, (tokens, components) => {
      const pattern = parsePattern(tokens.join('/'))
      if (!pattern.matches(components.join('/'))) return
      const literals = tokens.filter((token) => !token.startsWith('*'))
      const open = components.length - literals.length
      const name = groupName(pattern.text, components.join('/'))
      if (open > 0) named++
      t.is(name.split('_').length, Math.max(open, 1))
      t.regex(name, /^[A-C](_[A-C])*$/)
    }),
    { numRuns: 5000 },
  )
  t.true(named > 200)
})

test('a pattern full of wildcards takes no time that grows with their number', (t) => {
  const id = Array.from({ length: 2000 }, () => 'a').join('/')
  t.is(groupName(`${'**/a/'.repeat(300)}**`, id).length, 2 * 1700 - 1)
})
