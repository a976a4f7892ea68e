import test from 'ava'
import fc from 'fast-check'
import type { Command } from '../../src/cli/command.js'
import { parseArguments } from '../../src/cli/parse-arguments.js'
import { UsageError } from '../../src/cli/usage-error.js'

const command: Command = {
  name: 'try',
  summary: 'try it',
  usage: ['A [B]'],
  description: [],
  flags: [
    { name: 'force', short: 'f', summary: 'force' },
    { name: 'json', summary: 'json', excludes: ['long'] },
    { name: 'long', short: 'l', summary: 'long' },
    { name: 'output', short: 'o', value: 'FILE', summary: 'output' },
    { name: 'metadata', short: 'm', value: 'K=V', repeat: true, summary: 'metadata' },
    { name: 'length', value: 'N', integer: { min: 1, max: 9 }, summary: 'length' },
    { name: 'store', value: 'S', choices: ['keychain', 'file'], summary: 'store' },
    { name: 'mask', value: 'WHEN', bare: 'auto', choices: ['auto', 'always'], summary: 'mask' },
    { name: 'yes', summary: 'yes', needs: ['force'] },
  ],
  positionals: [{ name: 'A' }, { name: 'B', optional: true, choices: ['red', 'green'] }],
  examples: [],
  run: async () => 0,
}
const starter: Command = { ...command, name: 'start', positionals: [], rest: { name: 'CMD' } }

test('flags stand anywhere, long or short, with their value attached or not', (t) => {
  const { flags, positionals, positionalIndexes } = parseArguments(command, [
    '-fl',
    'a',
    '--output=x=y',
    '-m',
    'k=v',
    '-mq=w',
    '--metadata',
    'r=s',
    'red',
    '--length',
    '7',
  ])
  t.true(flags.has('force'))
  t.true(flags.has('long'))
  t.false(flags.has('json'))
  t.is(flags.value('output'), 'x=y')
  t.deepEqual(flags.values('metadata'), ['k=v', 'q=w', 'r=s'])
  t.is(flags.integer('length'), 7)
  t.deepEqual(positionals, ['a', 'red'])
  t.deepEqual(positionalIndexes, [1, 8])
})

test('a flag that stands for a value alone never takes the next word', (t) => {
  const parsed = parseArguments(command, ['--mask', 'always'])
  t.is(parsed.flags.value('mask'), 'auto')
  t.deepEqual(parsed.positionals, ['always'])
  t.is(parseArguments(command, ['--mask=always', 'a']).flags.value('mask'), 'always')
  t.is(parseArguments(command, ['a']).flags.value('mask'), undefined)
  t.throws(() => parseArguments(command, ['--mask=', 'a']), { message: /--mask takes auto or always/ })
  t.throws(() => parseArguments(command, ['--mask', '--mask=auto', 'a']), { message: /twice/ })
})

test('after -- everything is an argument, and a dash alone always is', (t) => {
  t.deepEqual(parseArguments(command, ['--', '--force']).positionals, ['--force'])
  t.deepEqual(parseArguments(command, ['-']).positionals, ['-'])
})

test('the rest begins after -- or at the first word, and is left alone', (t) => {
  const parsed = parseArguments(starter, ['-f', '--', 'sh', '-c', '--', '-x'])
  t.deepEqual(parsed.rest, ['sh', '-c', '--', '-x'])
  t.is(parsed.restIndex, 2)
  const bare = parseArguments(starter, ['-o', 'x', 'sh', '-f'])
  t.deepEqual(bare.rest, ['sh', '-f'])
  t.is(bare.restIndex, 2)
  t.false(bare.flags.has('force'))
})

test('help is found before anything is checked', (t) => {
  t.true(parseArguments(command, ['--help']).help)
  t.true(parseArguments(command, ['a', 'b', 'c', '-h']).help)
  t.false(parseArguments(starter, ['sh', '--help']).help)
})

for (const [title, args, message, hint] of [
  ['an unknown flag', ['a', '--froce'], 'unknown flag --froce', 'did you mean --force?'],
  ['an unknown short flag', ['a', '-q'], 'unknown flag -q', /^the flags of se try are --force, /],
  ['a long flag with one dash', ['a', '-force'], 'unknown flag -force', 'did you mean --force?'],
  ['a value where no flag takes one', ['a', '--force=yes'], '--force takes no value', 'write --force alone'],
  ['a flag without its value', ['a', '--output'], '--output needs a value', 'write --output FILE'],
  ['a flag given twice', ['a', '--output', 'x', '-o', 'y'], '-o is given twice', undefined],
  ['a wrong choice', ['a', '--store', 'flie'], '--store takes keychain or file', 'did you mean --store=file?'],
  ['a word for a number', ['a', '--length', 'ten'], '--length takes a whole number from 1 to 9', undefined],
  ['a number out of range', ['a', '--length', '10'], '--length takes a whole number from 1 to 9', undefined],
  ['flags that contradict', ['a', '--json', '-l'], '--json and --long contradict each other', 'give one of them'],
  ['a flag without the one it needs', ['a', '--yes'], '--yes needs --force beside it', undefined],
  ['a missing argument', [], 'A is missing', undefined],
  ['an extra argument', ['a', 'red', 'c'], 'se try takes 2 arguments, 3 were given', undefined],
  ['a wrong word', ['a', 'gren'], 'B is red or green', 'did you mean green?'],
] as const) {
  test(`${title} is a wrong use`, (t) => {
    const error = t.throws(() => parseArguments(command, args), { instanceOf: UsageError })
    t.is(error?.message, message)
    if (hint instanceof RegExp) t.regex(error?.hint ?? '', hint)
    else t.is(error?.hint, hint)
  })
}

test('a command that starts another needs one', (t) => {
  const error = t.throws(() => parseArguments(starter, ['-f']), { instanceOf: UsageError })
  t.is(error?.message, 'CMD is missing')
  t.is(error?.hint, 'write it after --: se start -- CMD')
})

test('asking for a flag that is not in the table is a fault of ours', (t) => {
  const { flags } = parseArguments(command, ['a'])
  t.throws(() => flags.has('nope'), { message: 'se try has no flag --nope' })
})

test('a wrong use never quotes what may be a value in the wrong place', (t) => {
  const value = 'Tr0ub4dor&3-in-plain'
  for (const args of [
    ['a', 'red', value],
    ['a', value],
    [`--${value}`],
    [`-${value}`],
    ['a', '--store', value],
    ['a', '--length', value],
  ]) {
    const error = t.throws(() => parseArguments(command, args), { instanceOf: UsageError })
    t.false(`${error?.message} ${error?.hint}`.includes('r0ub4'), args.join(' '))
  }
})

test('any words are taken apart or are a wrong use', (t) => {
  const word = fc.oneof(
    fc.constantFrom(
      '--',
      '-',
      '--force',
      '-f',
      '--output',
      '--output=',
      '-o',
      '--metadata=a',
      '--length',
      '7',
      'red',
      '--help',
    ),
    fc.string(),
    fc.string().map((text) => `--${text}`),
  )
  fc.assert(
    fc.property(fc.array(word, { maxLength: 8 }), fc.constantFrom(command, starter), (words, which) => {
      try {
        const { positionals, rest } = parseArguments(which, words)
        t.true(positionals.length + rest.length <= words.length)
      } catch (error) {
        if (!(error instanceof UsageError)) throw error
      }
    }),
  )
})
