/** `se plugins logs`: what a plugin wrote to its standard output and error. */
import type { Command } from '../command.js'

const DEFAULT_LINES = 50

/** Shows the log of a plugin. */
export const command: Command = {
  name: 'plugins logs',
  summary: 'show what a plugin wrote',
  usage: ['NAME [-n COUNT] [--follow]'],
  description: [
    'What the plugin itself wrote, and when it was started and ended. A plugin that connects by itself writes elsewhere.',
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
  positionals: [{ name: 'NAME', complete: 'plugin' }],
  examples: [
    { note: 'why does it not run?', command: 'se plugins logs vault' },
    { note: 'what does it do?', command: 'se plugins logs vault --follow' },
  ],
  storeless: true,
  async run({ env, flags, positionals, stdout }) {
    const [name = ''] = positionals
    const [{ existsSync }, { defaultPaths, pathBase }, { pluginLogFile }, { followLog, lastLines }, { printable }] =
      await Promise.all([
        import('node:fs'),
        import('../../config/paths.js'),
        import('../../plugin-host/plugin-log.js'),
        import('../read-log.js'),
        import('../columns.js'),
      ])
    const { isPluginName } = await import('../../config/tables.js')
    const file = isPluginName(name) ? pluginLogFile(defaultPaths(pathBase(env)).pluginLogFolder, name) : undefined
    if (file === undefined || (!flags.has('follow') && !existsSync(file))) {
      const { createError } = await import('../../errors/secrets-error.js')
      throw createError('SE_NOT_FOUND', 'there is no log of a plugin of this name', {
        hint: 'se plugins ls shows the names; one that was never started wrote nothing',
        details: { file },
      })
    }
    const show = (line: string): void => stdout.write(`${stdout.isTerminal ? printable(line) : line}\n`)
    const { lines, end } = lastLines([`${file}.1`, file], flags.integer('lines') ?? DEFAULT_LINES)
    for (const line of lines) show(line)
    if (flags.has('follow')) await followLog(file, end, show, () => stdout.failure === undefined)
    return 0
  },
}
