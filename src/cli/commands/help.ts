/** `se help`: the overview, or the help of one command. */
import type { Command } from '../command.js'
import { COMMANDS } from '../commands.js'
import { commandHelp } from '../help.js'
import { entryNamed } from '../main.js'
import { UsageError } from '../usage-error.js'

/** Explains a command. */
export const command: Command = {
  name: 'help',
  summary: 'explain a command, with examples',
  usage: ['[COMMAND]'],
  description: ['Without a command, lists them all. `se COMMAND --help` shows the same text.'],
  flags: [],
  positionals: [{ name: 'COMMAND', repeat: true }],
  examples: [
    { note: 'what set reads, and from where', command: 'se help set' },
    { note: 'a command of a command', command: 'se help store use' },
  ],
  storeless: true,
  async run({ positionals, stdout }) {
    let entries = COMMANDS
    let found: Command | undefined
    for (const word of positionals) {
      if (found !== undefined && entries.length === 0) throw new UsageError(`se ${found.name} has no commands`)
      found = await entryNamed(word, entries, found).load()
      entries = found.commands ?? []
    }
    if (found !== undefined) stdout.write(commandHelp(found))
    return 0
  },
}
