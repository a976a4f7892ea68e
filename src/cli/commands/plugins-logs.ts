/** `se plugins logs`: what a plugin wrote to its standard output and error. */
import type { Command } from '../command.js'
import { LOG_FLAGS } from '../flags.js'

/** Shows the log of a plugin. */
export const command: Command = {
  name: 'plugins logs',
  summary: 'show what a plugin wrote',
  usage: ['NAME [-n COUNT] [--follow]'],
  description: [
    'What the plugin itself wrote, and when it was started and ended. A plugin that connects by itself writes elsewhere.',
  ],
  flags: LOG_FLAGS,
  positionals: [{ name: 'NAME', complete: 'plugin' }],
  examples: [
    { note: 'why does it not run?', command: 'se plugins logs vault' },
    { note: 'what does it do?', command: 'se plugins logs vault --follow' },
  ],
  storeless: true,
  async run({ env, flags, positionals, stdout }) {
    const [name = ''] = positionals
    const [{ existsSync }, { defaultPaths, pathBase }, { pluginLogFile }, { showLog }] = await Promise.all([
      import('node:fs'),
      import('../../config/paths.js'),
      import('../../plugin-host/plugin-log.js'),
      import('../read-log.js'),
    ])
    const { isPluginName } = await import('../../config/tables.js')
    const file = isPluginName(name) ? pluginLogFile(defaultPaths(pathBase(env)).pluginLogFolder, name) : undefined
    if (file === undefined || (!flags.has('follow') && !existsSync(file))) {
      const { createError } = await import('../../errors/secrets-error.js')
      const { quote } = await import('../../quote.js')
      throw createError('SE_NOT_FOUND', `there is no log of a plugin ${quote(name)}`, {
        hint: 'se plugins ls shows the names; one that was never started wrote nothing',
        details: { file },
      })
    }
    await showLog({ flags, stdout }, `${file}.1`, file)
    return 0
  },
}
