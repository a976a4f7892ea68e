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
    // It is locked, whatever can be told of it.
    const store = await client.describe({ timeoutMs }).catch(() => undefined)
    stderr.write(`The daemon has forgotten ${store?.storeLocked === true ? 'its passphrase and ' : ''}all values.\n`)
    if (store?.storeKind === 'keychain') stderr.write('The keychain is as it was: the system locks it.\n')
    if (store?.storeLocked === false)
      stderr.write(`It opens ${store.storeLocation} again by itself, without se unlock.\n`)
    return 0
  },
}
