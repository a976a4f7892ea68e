/** `docker pass rm`: one that is not there counts as removed. Asks nothing. */
import { SecretsError } from '../../errors/secrets-error.js'
import { isId } from '../../id.js'
import type { Command } from '../command.js'
import { STORE_FLAG } from '../flags.js'
import { DockerUsageError } from './arguments.js'
import { invalidIdentifier } from './errors.js'

/** Removes secrets. */
export const command: Command = {
  name: 'rm',
  summary: 'Remove secrets',
  usage: ['ID… | --all'],
  description: ['Prints RM: ID for each. One that is not there counts as removed.'],
  flags: [{ name: 'all', summary: 'remove all secrets, without a question' }, STORE_FLAG],
  positionals: [{ name: 'ID', optional: true, repeat: true, complete: 'id' }],
  examples: [],
  async run(context) {
    const { flags, positionals, stdout, stderr } = context
    if (flags.has('all') === positionals.length > 0) {
      throw new DockerUsageError('either provide a secret name or use --all to remove all secrets')
    }
    const wrong = positionals.find((text) => !isId(text))
    if (wrong !== undefined) throw invalidIdentifier(wrong)
    const { openChosenStore } = await import('../open-chosen-store.js')
    const store = await openChosenStore(context)
    const ids = flags.has('all') ? (await store.list('**', { times: false })).map(({ id }) => id) : positionals
    let failed = false
    for (const id of ids) {
      try {
        await store.delete(id)
      } catch (error) {
        if (!SecretsError.is(error)) throw error
        if (error.code !== 'SE_NOT_FOUND') {
          failed = true
          stderr.write(`ERR: ${id}: ${error.message}\n`)
          continue
        }
      }
      stdout.write(`RM: ${id}\n`)
    }
    return failed ? 1 : 0
  },
}
