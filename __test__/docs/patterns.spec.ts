// Runs the examples of docs/patterns.md and checks every row of its tables.
import { readFileSync } from 'node:fs'
import { format } from 'node:util'
import test from 'ava'
import * as library from '../../src/index.js'

const page = readFileSync(new URL('../../docs/patterns.md', import.meta.url), 'utf8')

const examples = [...page.matchAll(/^```js\n(.*?)^```$\n^```output\n(.*?)^```$/gms)]
for (const [index, [, source = '', output = '']] of examples.entries()) {
  test(`example ${index + 1} prints what the page says`, (t) => {
    const lines: string[] = []
    const body = source.replace(/^import (\{.*\}) from 'se-native'$/m, 'const $1 = library')
    new Function('library', 'console', body)(library, {
      log: (...values: unknown[]) => lines.push(`${format(...values)}\n`),
    })
    t.is(lines.join(''), output)
  })
}

// The cells of the table below a heading row; a cell may list several texts in backticks.
function table(heading: string): string[][][] {
  const [, rest = ''] = page.split(`\n${heading}\n`)
  const rows = rest.split('\n\n', 1)[0]?.split('\n').slice(1) ?? []
  return rows.map((row) =>
    row
      .split('|')
      .slice(1, -1)
      .map((cell) =>
        cell.includes('`') ? [...cell.matchAll(/`(.*?)`/g)].map(([, text = '']) => text) : [cell.trim()],
      ),
  )
}

test('patterns match and do not match what the page says', (t) => {
  const rows = table('| pattern | matches | does not match |')
  t.true(rows.length >= 10)
  for (const [[text = ''] = [], yes = [], no = []] of rows) {
    const pattern = library.parsePattern(text)
    for (const id of yes) t.true(pattern.matches(id), `${text} matches ${id}`)
    for (const id of no) t.false(pattern.matches(id), `${text} does not match ${id}`)
  }
})

test('patterns include and overlap each other as the page says', (t) => {
  const rows = table('| `a` | `b` | `a` includes `b` | `b` includes `a` | they overlap |')
  t.true(rows.length >= 10)
  for (const [one = [], other = [], ...answers] of rows) {
    const [a, b] = [library.parsePattern(one[0] ?? ''), library.parsePattern(other[0] ?? '')]
    const expected = [a.includes(b), b.includes(a), a.overlaps(b)].map((holds) => (holds ? 'yes' : 'no'))
    t.deepEqual(answers.flat(), expected, `${a} and ${b}`)
  }
})

test('the page has examples', (t) => {
  t.is(examples.length, 3)
})
