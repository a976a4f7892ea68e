/** `se generate`: keeps a random value, made natively. */
import { alphabets } from '../../native/process.js'
import { idArgument, parseMetadata } from '../arguments.js'
import type { Command } from '../command.js'
import { forceFlag, METADATA_FLAG, STORE_FLAG } from '../flags.js'
import { UsageError } from '../usage-error.js'

const DEFAULT_LENGTH = 32

/** Keeps a random value. */
export const command: Command = {
  name: 'generate',
  summary: 'make a random value and keep it',
  usage: ['ID [--length N] [--alphabet NAME | --characters CHARS] [--print] [--force]'],
  description: [
    'Every character is equally likely. The default, 32 letters and digits, holds 190 bits. The value is not shown, unless ' +
      'with --print.',
  ],
  flags: [
    {
      name: 'length',
      short: 'n',
      value: 'N',
      integer: { min: 1, max: 65536 },
      summary: `how many characters, ${DEFAULT_LENGTH} by default`,
    },
    {
      name: 'alphabet',
      value: 'NAME',
      choices: Object.keys(alphabets),
      excludes: ['characters'],
      summary: 'which characters: alphanumeric (default), base64url, hex, digits, or ascii with all its signs',
    },
    { name: 'characters', value: 'CHARS', summary: 'these characters: at least two, ASCII, each once' },
    { name: 'print', short: 'p', summary: 'print the value, too; a line end is added on a terminal only' },
    METADATA_FLAG,
    forceFlag('replace what is kept under the ID'),
    STORE_FLAG,
  ],
  positionals: [{ name: 'ID', complete: 'id' }],
  examples: [
    { note: 'a password that nobody has seen', command: 'se generate postgres/prod/password' },
    { note: 'a PIN, shown once', command: 'se generate door/pin --length 6 --alphabet digits --print' },
    { note: 'rotate', command: 'se generate app/session-key --length 64 --alphabet hex --force' },
  ],
  async run(context) {
    const { flags, positionals, stdout } = context
    const id = await idArgument(positionals[0] ?? '')
    const metadata = parseMetadata(flags.values('metadata'))
    const length = flags.integer('length') ?? DEFAULT_LENGTH
    const alphabet = alphabetFrom(flags.value('alphabet'), flags.value('characters'))
    const { openChosenStore } = await import('../open-chosen-store.js')
    const { generateValue, writeValue } = await import('../values.js')
    const store = await openChosenStore(context)
    using secret = generateValue(id, length, alphabet)
    await store.set(id, secret, { metadata, overwrite: flags.has('force') })
    if (flags.has('print')) await writeValue(stdout, secret)
    return 0
  },
}

function alphabetFrom(name: string | undefined, characters: string | undefined): string {
  if (characters === undefined) return alphabets[(name ?? 'alphanumeric') as keyof typeof alphabets]
  const isAscii = /^[\x20-\x7e]{2,}$/.test(characters)
  if (!isAscii || new Set(characters).size !== characters.length) {
    throw new UsageError('--characters takes at least two ASCII characters, each once')
  }
  return characters
}
