/** The table of commands. Only names and summaries: a command's module is loaded when it is used. */
import type { CommandEntry } from './command.js'

/** Every command, in the order of the help. */
export const COMMANDS: readonly CommandEntry[] = [
  {
    name: 'help',
    summary: 'explain a command, with examples',
    load: async () => (await import('./commands/help.js')).command,
  },
  {
    name: 'version',
    summary: 'show the version',
    load: async () => (await import('./commands/version.js')).command,
  },
]
