/** `se __complete`: what the completion scripts call. Not in the list of commands; fails silently. */
import type { Command } from '../command.js'
import { COMMANDS } from '../commands.js'

/** Completes an unfinished command line: the kind of the offer, then a word a line with what it means. */
export const command: Command = {
  name: '__complete',
  summary: 'complete an unfinished command line, for the shells',
  usage: ['-- WORD…'],
  description: ['The first line is words, files or programs; each further line a word, a tab and its meaning.'],
  flags: [],
  positionals: [],
  rest: { name: 'WORD', optional: true },
  examples: [],
  async run({ rest, stdout, env }) {
    const [{ complete }, { listers }] = await Promise.all([import('../complete.js'), import('../listers.js')])
    const { kind, words } = await complete(rest, COMMANDS, listers(env))
    stdout.write(`${kind}\n${words.map(({ word, note = '' }) => `${word}\t${note}\n`).join('')}`)
    return 0
  },
}
