/** `se setup`: makes other programs find this one. */
import type { Command } from '../command.js'

/** Has no work of its own. */
export const command: Command = {
  name: 'setup',
  summary: 'make other programs find this one',
  usage: ['docker', 'native'],
  description: ['Nothing is needed for se itself; as the native program it starts sooner.'],
  flags: [],
  positionals: [],
  commands: [
    {
      name: 'docker',
      summary: 'make this program docker pass',
      load: async () => (await import('./setup-docker.js')).command,
    },
    {
      name: 'native',
      summary: 'make se the native program, which starts without Node where it can',
      load: async () => (await import('./setup-native.js')).command,
    },
  ],
  examples: [{ note: 'docker pass', command: 'se setup docker' }],
  storeless: true,
  async run() {
    const { UsageError } = await import('../usage-error.js')
    throw new UsageError('say what is to be set up', 'se setup docker, or se setup native')
  },
}
