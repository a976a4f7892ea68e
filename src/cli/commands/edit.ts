/** `se edit`: changes a secret in the user's editor, by a file that is in memory only. */
import { idArgument } from '../arguments.js'
import type { Command } from '../command.js'
import { STORE_FLAG } from '../flags.js'

/** Changes a secret in an editor. */
export const command: Command = {
  name: 'edit',
  summary: 'change a secret in your editor',
  usage: ['ID'],
  description: [
    'Starts $VISUAL, else $EDITOR, else vi, on a file in memory that is gone when the editor ends; what the editor itself ' +
      'writes elsewhere (backups, undo and swap files) is its own affair. Metadata stays. When the editor fails, or the ' +
      'value is as before, nothing is written.',
  ],
  flags: [STORE_FLAG],
  positionals: [{ name: 'ID', complete: 'id' }],
  examples: [
    { note: 'change it', command: 'se edit app/config' },
    { note: 'in another editor, without files beside', command: "EDITOR='vim -n -i NONE' se edit app/config" },
  ],
  values: true,
  async run(context) {
    const id = await idArgument(context.positionals[0] ?? '')
    const { openChosenStore } = await import('../open-chosen-store.js')
    const [{ editValue }, { runEditor }] = await Promise.all([import('../values.js'), import('../editor.js')])
    const store = await openChosenStore(context)
    using before = await store.get(id)
    using after = await editValue(before, (path) => runEditor(context.env, path))
    if (after.equals(before)) context.stderr.write(`${id} was not changed\n`)
    else await store.set(id, after, { metadata: before.metadata, overwrite: true })
    return 0
  },
}
