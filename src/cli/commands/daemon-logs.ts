/** `se daemon logs`: the end of the daemon's log. */
import type { Command } from '../command.js'
import { LOG_FLAGS } from '../flags.js'

/** Shows the log. */
export const command: Command = {
  name: 'daemon logs',
  summary: 'show what it has done',
  usage: ['[-n COUNT] [--follow]'],
  description: [
    'One JSON object a line: what was asked for, by which program, what came of it and how long it took. No value of a secret is ' +
      'ever in it. A daemon in the foreground, or of systemd, writes its log to standard error instead: journalctl --user -u se-native.',
  ],
  flags: LOG_FLAGS,
  positionals: [],
  examples: [
    {
      note: 'who asked for what',
      command: `se daemon logs | jq -r 'select(.patterns) | [.program, .patterns[], .outcome] | @tsv'`,
    },
  ],
  storeless: true,
  async run({ env, flags, stdout }) {
    const { checkPlatform } = await import('../daemon-client.js')
    checkPlatform()
    const [{ existsSync }, { logFile, olderLogFile }, { showLog }] = await Promise.all([
      import('node:fs'),
      import('../../daemon/log-target.js'),
      import('../read-log.js'),
    ])
    const file = logFile(env)
    if (!flags.has('follow') && !existsSync(file)) {
      const { createError } = await import('../../errors/secrets-error.js')
      throw createError('SE_NOT_FOUND', `there is no log at ${file}`, {
        hint: 'se daemon start makes one; of a daemon of systemd: journalctl --user -u se-native',
        details: { file },
      })
    }
    await showLog({ flags, stdout }, olderLogFile(file), file)
    return 0
  },
}
