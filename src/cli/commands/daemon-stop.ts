/** `se daemon stop`: ends the daemon and waits until it has ended. */
import type { Command } from '../command.js'
import type { DaemonFacts } from '../daemon-client.js'

/** What the daemon gives its requests, and a little more. */
const LIMIT_MS = 40_000
const LOOK_MS = 20

/** Ends the daemon. */
export const command: Command = {
  name: 'daemon stop',
  summary: 'end the daemon, after what it is asked for',
  usage: [''],
  description: [
    'Waits until the daemon has answered what it was asked for and has ended. When none runs, that is said, and the status is 0.',
    'A daemon that a service manager started may be started again by it: systemctl --user stop se-native.socket se-native.service.',
  ],
  flags: [],
  positionals: [],
  examples: [{ note: 'and begin again', command: 'se daemon stop && se daemon start' }],
  storeless: true,
  async run(context) {
    const { stdout } = context
    const { addressAnyway, askDaemon, checkPlatform, hasEnded, listeningPid } = await import('../daemon-client.js')
    checkPlatform()
    const address = await addressAnyway(context)
    const { createError, SecretsError } = await import('../../errors/secrets-error.js')
    let facts: DaemonFacts | undefined
    try {
      facts = await askDaemon(address)
      if (facts === undefined) {
        stdout.write('The daemon does not run.\n')
        return 0
      }
    } catch (error) {
      // One that hangs is asked by its signal alone.
      if (!SecretsError.is(error) || error.details['hangs'] !== true || !(await isHeld(address))) throw error
    }
    const pid = (await listeningPid(address)) ?? facts?.pid ?? 0
    if (pid === 0) {
      throw createError('SE_UNSUPPORTED', `the daemon on ${address} runs in another container`, {
        hint: 'end it there',
        details: { address },
      })
    }
    process.kill(pid, 'SIGTERM')
    for (const until = Date.now() + LIMIT_MS; !hasEnded(pid); ) {
      if (Date.now() > until) {
        throw createError('SE_TIMEOUT', `the daemon (pid ${pid}) has not ended within ${LIMIT_MS / 1000} s`, {
          hint: `se daemon logs says what it waits for; kill -9 ${pid} ends it at once`,
          details: { pid },
        })
      }
      await new Promise((settle) => setTimeout(settle, LOOK_MS))
    }
    stdout.write(`The daemon (pid ${pid}) has ended.\n`)
    return 0
  },
}

/** Whether a daemon of ours has the address, though it does not answer. */
async function isHeld(address: string): Promise<boolean> {
  const [{ native }, { unwrap }] = await Promise.all([
    import('../../native/load.js'),
    import('../../native/outcome.js'),
  ])
  const lock = unwrap(native().lockFile(`${address}.lock`))
  lock?.release()
  return lock === null
}
