/** `se cp`: copy a secret to another ID. */
import { twoIds } from '../arguments.js'
import type { Command } from '../command.js'
import { forceFlag, STORE_FLAG } from '../flags.js'
import { UsageError } from '../usage-error.js'

/** Copies a secret to another id. */
export const command: Command = {
  name: 'cp',
  summary: 'copy a secret to another ID',
  usage: ['FROM TO [--force]'],
  description: [
    'Value and metadata are copied. The value is not shown. A TO that is kept already is refused, unless --force is given.',
  ],
  flags: [forceFlag('replace what is kept under TO'), STORE_FLAG],
  positionals: [
    { name: 'FROM', complete: 'id' },
    { name: 'TO', complete: 'id' },
  ],
  examples: [
    { note: 'a start for a new environment', command: 'se cp postgres/staging/password postgres/prod/password' },
  ],
  async run(context) {
    const [from, to] = await twoIds(context.positionals)
    if (from === to) throw new UsageError('FROM and TO are the same ID')
    const { openChosenStore } = await import('../open-chosen-store.js')
    const { withNearestId } = await import('../nearest-id.js')
    const store = await openChosenStore(context)
    using secret = await withNearestId(store, from, () => store.get(from))
    await store.set(to, secret, { metadata: secret.metadata, overwrite: context.flags.has('force') })
    return 0
  },
}
