import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import test from 'ava'
import fc from 'fast-check'
import { parseEnvFile, readEnvFile } from '../../src/deliver/env-file.js'

function record(text: string): Record<string, string> {
  return Object.fromEntries(parseEnvFile(text).variables.map(({ name, value }) => [name, value]))
}

/** Whether some version of Node misreads the file, though nothing is wrong with it. */
function misread(text: string): boolean {
  return /^\uFEFF|\n +(#|\r?\n)|= +\r?\n|(^|\n) *#[^\n]*=[^\n]*$/.test(text)
}

const valid: Record<string, [text: string, variables: Record<string, string>]> = {
  'an empty file has no variables': ['', {}],
  'a line is NAME=value': ['A=1\nB_2=x.y', { A: '1', B_2: 'x.y' }],
  'spaces around name and value do not count': [' A = 1 2 \n', { A: '1 2' }],
  'a value may be empty': ['A=\nB= \nC=""\n', { A: '', B: '', C: '' }],
  'a value may hold = and quotes': [`A=b=c\nB=it's\nC=say "x"`, { A: 'b=c', B: "it's", C: 'say "x"' }],
  'comments stand alone or after a value': [
    '  # c\nA=1 # c\nB="2" # c\nC=#c\nD= # c',
    { A: '1', B: '2', C: '', D: '' },
  ],
  'export is passed over': ['export A=1', { A: '1' }],
  'names may hold dots and dashes': ['a.b-c=1', { 'a.b-c': '1' }],
  'quotes keep spaces, # and other quotes': [`A=' # x '\nB="it's"\nC=\`"'\``, { A: ' # x ', B: "it's", C: `"'` }],
  'quoted values go over lines': ['A="1\n# 2\n3"\nB=\'x\ny\'', { A: '1\n# 2\n3', B: 'x\ny' }],
  'only double quotes know \\n': [
    'A="a\\nb"\nB=\'a\\nb\'\nC=a\\nb\nD="\\t\\\\"',
    { A: 'a\nb', B: 'a\\nb', C: 'a\\nb', D: '\\t\\\\' },
  ],
  'CRLF is a line end': ['A=1\r\nB="2\r\n3"\r\n', { A: '1', B: '2\n3' }],
  'the last of a repeated name counts': ['A=1\nA=2', { A: '2' }],
  'a reference is a value': ['A=se://team/db/password', { A: 'se://team/db/password' }],
}

for (const [title, [text, variables]] of Object.entries(valid)) {
  test(`${title}, as for util.parseEnv`, (t) => {
    t.deepEqual(parseEnvFile(text).faults, [])
    t.deepEqual(Object.entries(record(text)), Object.entries(variables))
    if (!misread(text)) t.deepEqual({ ...parseEnv(text) }, variables)
  })
}

test('names of Object.prototype are names', (t) => {
  t.deepEqual(Object.entries(record('__proto__=1\nconstructor=2')), [
    ['__proto__', '1'],
    ['constructor', '2'],
  ])
})

test('comments may be indented and hold =, and a value may be spaces only', (t) => {
  t.deepEqual(record('# c\n  # c=d\nA= \nB=1\n# c=d'), { A: '', B: '1' })
})

test('a line may hold spaces only', (t) => {
  t.deepEqual(record('A=1\n  \nB=2\n \r\n'), { A: '1', B: '2' })
})

test('a byte order mark does not count', (t) => {
  t.deepEqual(record('\uFEFFA=1'), { A: '1' })
})

test('@from is a group, which no variable comes of', (t) => {
  const { variables, groups, faults } = parseEnvFile(
    'A=1\n  @from se://a/** # c\n@from  se://b/*  prefix=b_  \nB="\n@from se://no"\n# @from se://no\n',
  )
  t.deepEqual(faults, [])
  t.deepEqual(groups, [
    { reference: 'se://a/**', line: 2 },
    { reference: 'se://b/*', prefix: 'b_', line: 3 },
  ])
  t.deepEqual(variables, [
    { name: 'A', value: '1', line: 1 },
    { name: 'B', value: '\n@from se://no', line: 4 },
  ])
})

const broken: [text: string, line: number, message: RegExp][] = [
  ['A=1\nno variable\n', 2, /no =/],
  ['=1', 1, /not a name/],
  ['1A=1', 1, /not a name/],
  ['A B=1', 1, /not a name/],
  ['export=\nexport  A=1', 2, /not a name/],
  ['Ä=1', 1, /not a name/],
  ['\tA=1', 1, /not a name/],
  ['A=\t1', 1, /tab/],
  ['A=1\t# c', 1, /# inside|tab/],
  ['A=a#b', 1, /# inside a value/],
  ['A=1\nB="open\nC=2\n', 2, /not closed/],
  ['A="x"y', 1, /after the closing quote/],
  ['A="a\\"b"', 1, /after the closing quote/],
  ['A="1\n2"3\nB=1', 1, /after the closing quote/],
  ['A=a\rb', 1, /control character/],
  ['A=a\0b', 1, /control character/],
  ['A="a\0b"', 1, /control character/],
  ['A=1\n@form se://a', 2, /begins with @/],
  ['@', 1, /begins with @/],
  ['@from', 1, /no reference/],
  ['@from # se://a', 1, /no reference/],
  ['@from=se://a', 1, /begins with @/],
  ['@from\tse://a', 1, /begins with @/],
  ['@from a/**', 1, /no reference/],
  ['@from "se://a/**"', 1, /no reference/],
  ['@from se://a prefix', 1, /more than a prefix/],
  ['@from se://a se://b', 1, /more than a prefix/],
  ['@from se://a prefix=A_ prefix=B_', 1, /more than a prefix/],
  ['@from se://a prefix=', 1, /not a prefix/],
  ['@from se://a prefix=1A', 1, /not a prefix/],
  ['@from se://a prefix="A_"', 1, /not a prefix/],
  ['@from se://a prefix=A_#c', 1, /not a prefix/],
  ['@from se://a\0', 1, /control character/],
]

for (const [text, line, message] of broken) {
  test(`${JSON.stringify(text)} is an error on line ${line}`, (t) => {
    const { faults } = parseEnvFile(text)
    t.is(faults.length, 1)
    t.is(faults[0]?.line, line)
    t.regex(faults[0]?.message ?? '', message)
  })
}

test('after a bad line the others are read, and every bad line is told', (t) => {
  const { variables, faults } = parseEnvFile('A=1\nbad\nB=2\n2=3\nC="x"y\nD=4')
  t.deepEqual(variables, [
    { name: 'A', value: '1', line: 1 },
    { name: 'B', value: '2', line: 3 },
    { name: 'D', value: '4', line: 6 },
  ])
  t.deepEqual(
    faults.map(({ line }) => line),
    [2, 4, 5],
  )
})

// Pieces that mean something to either parser, so that random texts are often files.
const pieces = [
  'A',
  'B',
  'export ',
  '=',
  '=',
  '\n',
  '\n',
  ' ',
  '\t',
  '#',
  '"',
  "'",
  '`',
  '\\n',
  '\\',
  'x',
  '\r\n',
  '\r',
  'se://a',
  '@from ',
]
const anyText = fc.oneof(
  fc.array(fc.constantFrom(...pieces), { maxLength: 20 }).map((parts) => parts.join('')),
  fc.string({ unit: 'binary', maxLength: 40 }),
)

test('on any file without errors util.parseEnv says the same, but for groups', (t) => {
  let compared = 0
  fc.assert(
    fc.property(anyText, (text) => {
      const { faults, groups } = parseEnvFile(text)
      if (faults.length > 0 || groups.length > 0 || misread(text)) return
      compared++
      t.deepEqual(record(text), { ...parseEnv(text) })
    }),
    { numRuns: 3000 },
  )
  t.true(compared > 300)
})

test('any values come back that are written between quotes', (t) => {
  fc.assert(
    fc.property(
      fc.array(
        fc.string().filter((text) => !/['\0\r]/.test(text)),
        { maxLength: 5 },
      ),
      (values) => {
        const text = values.map((value, index) => `V${index}='${value}'`).join('\n')
        t.deepEqual(Object.values(record(text)), values)
      },
    ),
  )
})

test('no fault quotes the file', (t) => {
  fc.assert(
    fc.property(anyText, (text) => {
      const marked = text.replaceAll('x', 'canary').replaceAll('A', 'CANARY')
      t.notRegex(JSON.stringify(parseEnvFile(marked).faults), /canary/i)
    }),
  )
})

test('reading names the file and the line, and what keeps it from being read', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'se-env-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const path = join(folder, '.env')
  writeFileSync(path, 'A=1\ncanary\n')
  const [problem] = readEnvFile(path).problems
  t.is(problem?.code, 'SE_INVALID_ENV')
  t.is(problem?.message, `${path}:2: no = in the line`)
  t.deepEqual(problem?.details, { path, line: 2 })
  writeFileSync(path, Buffer.from([0x41, 0x3d, 0xff]))
  t.regex(readEnvFile(path).problems[0]?.message ?? '', /not UTF-8/)
  t.regex(readEnvFile(folder).problems[0]?.message ?? '', /it is a folder/)
  t.regex(readEnvFile(join(folder, 'none')).problems[0]?.message ?? '', /there is no such file/)
  t.regex(readEnvFile(join(folder, 'none')).problems[0]?.hint ?? '', /folder that se is started in/)
  t.regex(readEnvFile(join(path, 'below')).problems[0]?.message ?? '', /there is no such file/)
})
