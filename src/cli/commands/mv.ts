/** `se mv`: give a secret another ID. */
import { twoIds } from '../arguments.js'
import type { Command } from '../command.js'
import { forceFlag, STORE_FLAG } from '../flags.js'

/** Moves a secret to another id. */
export const command: Command = {
  name: 'mv',
  summary: 'give a secret another ID',
  usage: ['FROM TO [--force]'],
  description: [
    'Value, metadata and creation time stay. The secret is never gone in between. A TO that is kept already is refused, unless --force is given.',
  ],
  flags: [forceFlag('replace what is kept under TO'), STORE_FLAG],
  positionals: [
    { name: 'FROM', complete: 'id' },
    { name: 'TO', complete: 'id' },
  ],
  examples: [{ note: 'rename', command: 'se mv postgres/staging/password postgres/prod/password' }],
  async run(context) {
    const [from, to] = await twoIds(context.positionals)
    const { openChosenStore } = await import('../open-chosen-store.js')
    const { withNearestId } = await import('../nearest-id.js')
    const store = await openChosenStore(context)
    const overwrite = context.flags.has('force')
    await withNearestId(store, from, () => store.rename(from, to, { overwrite }))
    return 0
  },
}
