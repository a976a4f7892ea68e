import test from 'ava'
import fc from 'fast-check'
import { parse } from 'smol-toml'
import { parsePlainToml } from '../../src/config/plain-toml.js'

test('what is written by se store use is plain', (t) => {
  const text = '# mine\r\n\nstore = "file"  # here\nstore_path = "/a b#c/ü.age"\ntimeout_ms=500'
  t.deepEqual(parsePlainToml(text), { store: 'file', store_path: '/a b#c/ü.age', timeout_ms: 500 })
})

test('what is plain is the same to a parser of all of TOML', (t) => {
  const piece = fc.constantFrom(
    'a',
    'b-_1',
    '"',
    ' ',
    '\t',
    '=',
    '#',
    '\\',
    '\n',
    '\r\n',
    '\r',
    '0',
    '12',
    '.',
    '[',
    "'",
    '\u007f',
    'é',
  )
  const line = fc.oneof(
    fc.constantFrom(
      'a = "x"',
      'b=1 # c',
      '# only',
      ' a\t= "" ',
      'a = 01',
      'a = 1.5',
      'a.b = 1',
      'a = "\\n"',
      '[t]',
      '',
    ),
    fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join('')),
  )
  fc.assert(
    fc.property(fc.array(line, { maxLength: 4 }), (lines) => {
      const text = lines.join('\n')
      const plain = parsePlainToml(text)
      if (plain !== undefined) t.deepEqual(plain, { ...parse(text) }, JSON.stringify(text))
    }),
    { numRuns: 2000 },
  )
})
