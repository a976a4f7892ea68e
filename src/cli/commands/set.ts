/** `se set`: keeps a secret. The value goes from where it is read to the store natively. */
import { idArgument, parseMetadata } from '../arguments.js'
import type { Command } from '../command.js'
import { forceFlag, METADATA_FLAG, STORE_FLAG } from '../flags.js'
import { printHint } from '../report.js'
import { UsageError } from '../usage-error.js'

/** Keeps a secret. */
export const command: Command = {
  name: 'set',
  summary: 'keep a secret',
  usage: ['ID [--metadata KEY=VALUE]… [--verbatim] [--force]', 'ID=VALUE [--metadata KEY=VALUE]… [--force]'],
  description: [
    'The value is typed at a hidden prompt on a terminal, else read from standard input. One line loses its line end, so ' +
      'that `echo token | se set ID` keeps `token`; several lines, and anything with --verbatim, are kept byte for byte. ' +
      'An empty value is stored when it is read from standard input, which is told, but not when it is typed.',
    'A JSON object whose only members are "secret", a text, and perhaps "metadata", an object of texts, is taken apart. Any ' +
      'other JSON is kept as it is.',
    'An ID that is kept already is refused, and nothing is written, unless --force is given. ID=VALUE is there for habit: ' +
      'arguments are seen by other processes and stay in the history of the shell.',
  ],
  flags: [
    METADATA_FLAG,
    { name: 'verbatim', summary: 'keep standard input byte for byte: its last line end, and JSON, too' },
    forceFlag('replace what is kept under the ID'),
    STORE_FLAG,
  ],
  positionals: [{ name: 'ID', complete: 'id' }],
  extraHint:
    'the value is no argument: type it at the prompt of se set ID, or pipe it in: … | se set ID; ' +
    'se set ID=VALUE works too, but other processes see it',
  examples: [
    { note: 'type it', command: 'se set postgres/prod/password' },
    { note: 'from a program', command: 'openssl rand -base64 24 | se set app/session-key' },
    { note: 'a file, byte for byte', command: 'se set deploy/key --verbatim < id_ed25519' },
    {
      note: 'with facts beside it',
      command: `echo '{"secret": "t0ken", "metadata": {"owner": "ada"}}' | se set github/token`,
    },
  ],
  async run(context) {
    const { flags, positionals, stderr } = context
    const argument = positionals[0] ?? ''
    const equals = argument.indexOf('=')
    const inArgument = equals >= 0
    const id = await idArgument(inArgument ? argument.slice(0, equals) : argument)
    const metadata = parseMetadata(flags.values('metadata'))
    if (inArgument && flags.has('verbatim')) {
      throw new UsageError('--verbatim is for standard input', 'leave it out, or leave out =VALUE')
    }
    const overwrite = flags.has('force')
    const { openChosenStore } = await import('../open-chosen-store.js')
    const { valueFromArgument, valueFromStdin, valueFromPrompt } = await import('../values.js')
    const store = await openChosenStore(context)
    if (inArgument) {
      using secret = valueFromArgument(context, 0, id)
      await store.set(id, secret, { metadata, overwrite })
      if (stderr.isTerminal) {
        printHint(stderr, 'other processes saw this value, and your shell keeps it; without =VALUE you can type it')
      }
    } else if (context.stdinIsTerminal) {
      if (!overwrite) await refuseExisting(store, id)
      using secret = await valueFromPrompt(id, `Value of ${id}: `)
      if (secret.byteLength === 0) {
        const { createError } = await import('../../errors/secrets-error.js')
        throw createError('SE_PROMPT_DISMISSED', 'nothing was typed, and nothing was stored', {
          hint: `to store an empty value: se set ${id}=${overwrite ? ' --force' : ''}`,
        })
      }
      await store.set(id, secret, { metadata, overwrite })
    } else {
      const read = await valueFromStdin(id, flags.has('verbatim') ? 'verbatim' : 'line')
      using secret = read.secret
      await store.set(id, secret, { metadata: { ...read.metadata, ...metadata }, overwrite })
      if (secret.byteLength === 0) stderr.write(`The value of ${id} is empty.\n`)
    }
    return 0
  },
}

/** Tells it before the value is typed; the store itself refuses as well. */
async function refuseExisting(store: import('../../store/store.js').Store, id: string): Promise<void> {
  if ((await store.list(id, { times: false })).length === 0) return
  const { createError } = await import('../../errors/secrets-error.js')
  throw createError('SE_EXISTS', `a secret is stored under ${id} already`, {
    hint: `replace it: se set ${id} --force`,
    details: { id },
  })
}
