/** `se daemon run`: the daemon itself. Its code is a bundle of its own, so that no other command reads it. */
import type { Command } from '../command.js'

/** Runs the daemon. */
export const command: Command = {
  name: 'daemon run',
  summary: 'run the daemon in the foreground, for a service manager',
  usage: [''],
  description: [
    'Ends on SIGTERM or SIGINT, with the status 0: it stops accepting, answers what it was asked for, ends its plugins and ' +
      'removes its sockets. SIGHUP reads config.toml again, whose addresses count at the next start; one that is broken is ' +
      'logged, and the old one kept. With idle_exit_seconds it ends by itself when nobody asks.',
    'The log, a JSON object a line without any value, goes to standard error where that is a terminal, a pipe or the journal, ' +
      'else to the file that se daemon logs shows. Sockets that systemd passes are served.',
    'For an encrypted file with a passphrase, SE_PASSPHRASE_FILE or SE_PASSPHRASE of the daemon gives it, else se unlock. It ' +
      'asks at no terminal.',
  ],
  flags: [],
  positionals: [],
  examples: [{ note: 'in a container', command: 'se daemon run' }],
  async run({ env }) {
    const { checkPlatform } = await import('../daemon-client.js')
    checkPlatform()
    const { runDaemon } = await import('../../daemon/run-daemon.js')
    return runDaemon(env)
  },
}
