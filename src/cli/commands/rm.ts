/** `se rm`: removes secrets from the chosen store, one after the other, and carries on after a failure. */
import { CODES } from '../../errors/codes.js'
import { SecretsError } from '../../errors/secrets-error.js'
import type { Store } from '../../store/store.js'
import { idArgument } from '../arguments.js'
import type { Command, Context } from '../command.js'
import { STORE_FLAG } from '../flags.js'
import { printHint } from '../report.js'
import { UsageError } from '../usage-error.js'

/** Removes secrets. */
export const command: Command = {
  name: 'rm',
  summary: 'remove secrets',
  usage: ['ID…', '--all [--yes]'],
  description: [
    'Each removed ID is printed as `RM: ID`; each failure goes to standard error as `ERR: ID: cause`, and the others are ' +
      'removed nonetheless. The exit status is then that of the failures, or 1 when they differ.',
  ],
  flags: [
    {
      name: 'all',
      summary: 'remove every secret of the store; asks on the terminal, and is refused where there is none',
    },
    { name: 'yes', short: 'y', needs: ['all'], summary: 'do not ask' },
    STORE_FLAG,
  ],
  positionals: [{ name: 'ID', optional: true, repeat: true, complete: 'id' }],
  examples: [
    { note: 'one, or several', command: 'se rm github/token postgres/prod/password' },
    { note: 'all that a pattern lists', command: "se ls 'old/**' | xargs -r se rm" },
    { note: 'everything', command: 'se rm --all' },
  ],
  async run(context) {
    const { flags, positionals } = context
    if (flags.has('all') === positionals.length > 0) {
      throw new UsageError(
        flags.has('all') ? '--all and IDs contradict each other' : 'nothing to remove was named',
        'name IDs, or write --all for every secret',
      )
    }
    const { openChosenStore } = await import('../open-chosen-store.js')
    if (!flags.has('all')) {
      const ids = []
      for (const text of new Set(positionals)) ids.push(await idArgument(text))
      return remove(context, await openChosenStore(context), ids)
    }
    const store = await openChosenStore(context)
    const ids = (await store.list('**', { times: false })).map(({ id }) => id)
    if (ids.length > 0 && !flags.has('yes')) {
      const { confirm, hasTerminal } = await import('../terminal.js')
      if (!hasTerminal()) {
        throw new UsageError(
          'there is no terminal to ask on, and nothing was removed',
          'se rm --all --yes does not ask',
        )
      }
      const { location } = await store.describe()
      const what = ids.length === 1 ? 'the one secret' : `all ${ids.length} secrets`
      if (!confirm(`Remove ${what} of ${location}? [y/N] `)) {
        const { createError } = await import('../../errors/secrets-error.js')
        throw createError('SE_PROMPT_DISMISSED', 'nothing was removed', { hint: 'answer y, or give --yes' })
      }
    }
    return remove(context, store, ids)
  },
}

async function remove({ stdout, stderr }: Context, store: Store, ids: readonly string[]): Promise<number> {
  const statuses = new Set<number>()
  for (const id of ids) {
    try {
      await store.delete(id)
    } catch (error) {
      if (!SecretsError.is(error)) throw error
      statuses.add(CODES[error.code].exit)
      stderr.write(`ERR: ${id}: ${error.message}\n`)
      if (error.code === 'SE_NOT_FOUND') {
        const { nearestId } = await import('../nearest-id.js')
        const meant = await nearestId(store, id)
        if (meant !== undefined) printHint(stderr, `did you mean ${meant}?`)
      }
      continue
    }
    stdout.write(`RM: ${id}\n`)
  }
  const [first] = statuses
  return statuses.size > 1 ? 1 : (first ?? 0)
}
