/** `se daemon logs`: the end of the daemon's log. */
import type { Command } from '../command.js'

const DEFAULT_LINES = 50

/** Shows the log. */
export const command: Command = {
  name: 'daemon logs',
  summary: 'show what it has done',
  usage: ['[-n COUNT] [--follow]'],
  description: [
    'One JSON object a line: what was asked for, by which program, what came of it and how long it took. No value of a secret is ' +
      'ever in it. A daemon in the foreground, or of systemd, writes its log to standard error instead: journalctl --user -u se-native.',
  ],
  flags: [
    {
      name: 'lines',
      short: 'n',
      value: 'COUNT',
      integer: { min: 0, max: 1_000_000 },
      summary: `how many of the last lines; ${DEFAULT_LINES} by default`,
    },
    { name: 'follow', summary: 'go on with what is written from now on, until Ctrl-C' },
  ],
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
    const [{ existsSync }, { logFile, olderLogFile }, { followLog, lastLines }] = await Promise.all([
      import('node:fs'),
      import('../../daemon/log-target.js'),
      import('../read-log.js'),
    ])
    const file = logFile(env)
    const follow = flags.has('follow')
    if (!follow && !existsSync(file)) {
      const { createError } = await import('../../errors/secrets-error.js')
      throw createError('SE_NOT_FOUND', `there is no log at ${file}`, {
        hint: 'se daemon start makes one; of a daemon of systemd: journalctl --user -u se-native',
        details: { file },
      })
    }
    const { printable } = await import('../columns.js')
    const show = (line: string): void => stdout.write(`${stdout.isTerminal ? printable(line) : line}\n`)
    const { lines, end } = lastLines([olderLogFile(file), file], flags.integer('lines') ?? DEFAULT_LINES)
    for (const line of lines) show(line)
    if (follow) await followLog(file, end, show, () => stdout.failure === undefined)
    return 0
  },
}
