/** The commands of `docker pass`: those of `se`, and what Docker's do otherwise. */
import type { CommandEntry } from '../command.js'
import { COMMANDS } from '../commands.js'

/** Every command, in the order of the help. */
export const DOCKER_COMMANDS: readonly CommandEntry[] = [
  {
    name: 'get',
    summary: 'Show that a secret is there, or its value',
    load: async () => (await import('./get.js')).command,
  },
  asInSe('ls', 'List the IDs of secrets'),
  asInSe('plugins', 'Manage plugins'),
  { name: 'rm', summary: 'Remove secrets', load: async () => (await import('./rm.js')).command },
  { name: 'run', summary: 'Run a command with its secrets', load: async () => (await import('./run.js')).command },
  { name: 'set', summary: 'Set a secret', load: async () => (await import('./set.js')).command },
].filter((entry) => entry !== undefined)

function asInSe(name: string, summary: string): CommandEntry | undefined {
  const entry = COMMANDS.find((candidate) => candidate.name === name)
  return entry && { ...entry, summary }
}
