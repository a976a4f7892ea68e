/** `docker pass get`: as `se get`, for an ID in Docker's words. */
import { isId } from '../../id.js'
import type { Command } from '../command.js'
import { command as seGet } from '../commands/get.js'
import { invalidIdentifier } from './errors.js'

/** Shows a secret. */
export const command: Command = {
  ...seGet,
  summary: 'Show that a secret is there, or its value',
  async run(context) {
    const [id = ''] = context.positionals
    if (!isId(id)) throw invalidIdentifier(id)
    return seGet.run(context)
  },
}
