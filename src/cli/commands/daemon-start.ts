/** `se daemon start`: starts the daemon in the background, and waits until it answers. */

import type { Command, Output } from '../command.js'
import type { DaemonFacts } from '../daemon-client.js'

const LIMIT_MS = 15_000
const LOOK_MS = 20

/** Starts the daemon. */
export const command: Command = {
  name: 'daemon start',
  summary: 'start the daemon in the background',
  usage: [''],
  description: [
    'Waits until the daemon answers, and says where it listens. When one runs already, that is said, and the status is 0. It ' +
      'has the environment of this command; a new config.toml is read at the next request.',
  ],
  flags: [],
  positionals: [],
  examples: [{ note: 'with an encrypted file that has a passphrase', command: 'se daemon start && se unlock' }],
  storeless: true,
  async run({ env, stdout }) {
    const { askDaemon, checkPlatform, ownAddress } = await import('../daemon-client.js')
    checkPlatform()
    const address = await ownAddress(env)
    const running = await askDaemon(address)
    if (running !== undefined) return tell(stdout, running, 'runs already')
    const { spawnDaemon } = await import('../spawn-daemon.js')
    const child = await spawnDaemon(env)
    for (const until = Date.now() + LIMIT_MS; ; ) {
      const facts = await askDaemon(address)
      if (facts !== undefined) return tell(stdout, facts, facts.pid === child.pid ? 'runs' : 'runs already')
      const failure = child.failure()
      // Another one may have been faster, and answers in a moment.
      if (failure !== undefined && failure.code !== 'SE_DAEMON_RUNNING') throw failure
      if (Date.now() > until) {
        const { createError } = await import('../../errors/secrets-error.js')
        throw (
          failure ?? createError('SE_TIMEOUT', `the daemon does not answer on ${address}`, { hint: 'se daemon logs' })
        )
      }
      await new Promise((settle) => setTimeout(settle, LOOK_MS))
    }
  },
}

function tell(stdout: Output, { pid, addresses, left }: DaemonFacts, runs: string): number {
  stdout.write(`The daemon ${runs} (pid ${pid}) and listens on\n`)
  for (const address of addresses) stdout.write(`  ${address}\n`)
  for (const { address, reason } of left) stdout.write(`It does not listen on ${address}: ${reason}\n`)
  return 0
}
