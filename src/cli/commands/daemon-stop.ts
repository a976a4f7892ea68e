/** `se daemon stop`: ends the daemon and waits until it has ended. */
import type { Command } from '../command.js'

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
  async run({ env, stdout }) {
    const { askDaemon, checkPlatform, hasEnded, listeningPid, ownAddress } = await import('../daemon-client.js')
    checkPlatform()
    const address = await ownAddress(env)
    const { createError, SecretsError } = await import('../../errors/secrets-error.js')
    let pid: number | undefined
    try {
      pid = (await askDaemon(address))?.pid
      if (pid === undefined) {
        stdout.write('The daemon does not run.\n')
        return 0
      }
    } catch (error) {
      if (!SecretsError.is(error) || error.details['hangs'] !== true) throw error
    }
    // Of a socket that systemd made, and of a daemon in a container, the system names another process.
    const listening = await listeningPid(address)
    if (pid === undefined ? !(await isHeld(address)) : listening !== undefined && listening !== pid) {
      throw createError('SE_UNSUPPORTED', `the daemon on ${address} was not started by se daemon start`, {
        hint: 'systemctl --user stop se-native.socket se-native.service; one in a container is ended there',
        details: { address },
      })
    }
    pid ??= listening as number
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
