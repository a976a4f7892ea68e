/** `docker pass set`: replaces what is there, and keeps standard input byte for byte but for a JSON object with `secret`. */
import { isId } from '../../id.js'
import type { Command } from '../command.js'
import { METADATA_FLAG, STORE_FLAG } from '../flags.js'
import { DockerUsageError } from './arguments.js'
import { invalidIdentifier } from './errors.js'

/** Keeps a secret. */
export const command: Command = {
  name: 'set',
  summary: 'Set a secret',
  usage: ['ID[=VALUE] [--metadata KEY=VALUE]…'],
  description: ['Without =VALUE, the value is read from standard input, or typed at a hidden prompt on a terminal.'],
  flags: [
    METADATA_FLAG,
    { name: 'force', short: 'f', summary: 'replace what is there, which is done without it, too' },
    STORE_FLAG,
  ],
  positionals: [{ name: 'ID', complete: 'id' }],
  examples: [],
  async run(context) {
    const argument = context.positionals[0] ?? ''
    const equals = argument.indexOf('=')
    const id = equals < 0 ? argument : argument.slice(0, equals)
    if (!isId(id)) throw invalidIdentifier(id)
    const metadata = metadataOf(context.flags.values('metadata'))
    const [{ openChosenStore }, values] = await Promise.all([import('../open-chosen-store.js'), import('../values.js')])
    const store = await openChosenStore(context)
    if (equals >= 0) {
      using secret = values.valueFromArgument(context, 0, id)
      await store.set(id, secret, { metadata, overwrite: true })
    } else if (context.stdinIsTerminal) {
      using secret = await values.valueFromPrompt(id, `Value of ${id}: `)
      await store.set(id, secret, { metadata, overwrite: true })
    } else {
      const read = await values.valueFromStdin(id, 'object')
      using secret = read.secret
      await store.set(id, secret, { metadata: { ...read.metadata, ...metadata }, overwrite: true })
    }
    return 0
  },
}

function metadataOf(pairs: readonly string[]): Record<string, string> {
  const entries = pairs.map((pair) => {
    const equals = pair.indexOf('=')
    if (equals < 1) throw new DockerUsageError(`invalid metadata pair (expected key=value): ${pair}`)
    return [pair.slice(0, equals), pair.slice(equals + 1)] as const
  })
  return Object.fromEntries(entries)
}
