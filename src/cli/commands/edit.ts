/** `se edit`: changes a secret in the user's editor, by a file that is in memory only. */
import { isDeepStrictEqual } from 'node:util'
import { createError, SecretsError } from '../../errors/secrets-error.js'
import type { Secret } from '../../secret.js'
import type { Store } from '../../store/store.js'
import { idArgument } from '../arguments.js'
import type { Command } from '../command.js'
import { forceFlag, STORE_FLAG } from '../flags.js'

/** Changes a secret in an editor. */
export const command: Command = {
  name: 'edit',
  summary: 'change a secret in your editor',
  usage: ['ID [--force]'],
  description: [
    'Starts $VISUAL, else $EDITOR, else vi, on a file in memory that is gone when the editor ends, or when SIGTERM or SIGHUP ' +
      'ends se; within a second when se is killed (SIGKILL), with all beside it. What the editor itself writes elsewhere ' +
      '(backups, undo and swap files) is its own affair.',
    'Metadata stays. When the editor fails, or the value is as before, nothing is written. When another process changed the ' +
      'secret meanwhile, se asks on the terminal whether to replace that; without a terminal it refuses, unless --force is given. What ' +
      'could not be stored stays in the file, and se says where that is.',
  ],
  flags: [forceFlag('replace what another process wrote meanwhile'), STORE_FLAG],
  positionals: [{ name: 'ID', complete: 'id' }],
  examples: [
    { note: 'change it', command: 'se edit app/config' },
    { note: 'in another editor, without files beside', command: "EDITOR='vim -n -i NONE' se edit app/config" },
  ],
  async run(context) {
    const id = await idArgument(context.positionals[0] ?? '')
    const { openChosenStore } = await import('../open-chosen-store.js')
    const { editValue } = await import('../editor.js')
    const { withNearestId } = await import('../nearest-id.js')
    const store = await openChosenStore(context)
    using before = await withNearestId(store, id, () => store.get(id))
    await editValue(before, context.env, async (after) => {
      if (after.equals(before)) {
        context.stderr.write(`${id} was not changed\n`)
        return
      }
      if (!context.flags.has('force')) await refuseChanged(store, before)
      await store.set(id, after, { metadata: before.metadata, overwrite: true })
      if (after.byteLength === 0) context.stderr.write(`The value of ${id} is empty now.\n`)
    })
    return 0
  },
}

/** Throws when the store has something else by now, and the person does not want to replace it. */
async function refuseChanged(store: Store, before: Secret): Promise<void> {
  const { id } = before
  const how = await changeSince(store, before)
  if (how === undefined) return
  const { confirm } = await import('../terminal.js')
  if (confirm(`Another process ${how} ${id} meanwhile. Write what you made of it? [y/N] `)) return
  throw createError('SE_EXISTS', `another process ${how} ${id} meanwhile; nothing was written`, {
    hint: 'run se edit again, on what is stored now; --force writes all the same',
    details: { id },
  })
}

async function changeSince(store: Store, before: Secret): Promise<'changed' | 'removed' | undefined> {
  try {
    using now = await store.get(before.id)
    return now.equals(before) && isDeepStrictEqual(now.metadata, before.metadata) ? undefined : 'changed'
  } catch (error) {
    if (SecretsError.is(error) && error.code === 'SE_NOT_FOUND') return 'removed'
    throw error
  }
}
