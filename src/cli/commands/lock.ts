/** `se lock`: has the daemon forget what opens its store. */
import type { Command } from '../command.js'

/** Locks the daemon. */
export const command: Command = {
  name: 'lock',
  summary: 'have the daemon forget the passphrase and all values',
  usage: [''],
  description: [
    'The daemon forgets the passphrase of the encrypted file and every value that it kept for plugins. What opens the file ' +
      'without a passphrase, and an OS keychain that is unlocked, are not locked by this.',
  ],
  flags: [],
  positionals: [],
  examples: [{ note: 'before you leave', command: 'se lock' }],
  async run({ env, stderr }) {
    const { reachDaemon } = await import('../reach-daemon.js')
    const { client, timeoutMs } = await reachDaemon(env)
    await client.lock({ timeoutMs })
    stderr.write('The daemon has forgotten its passphrase and all values.\n')
    return 0
  },
}
