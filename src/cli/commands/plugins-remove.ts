/** `se plugins remove`: takes a plugin out of config.toml. */
import type { Command } from '../command.js'

/** Removes a plugin. */
export const command: Command = {
  name: 'plugins remove',
  summary: 'take a plugin out of config.toml',
  usage: ['NAME'],
  description: [
    'Its table goes, the rest of config.toml stays as it is. A daemon that runs ends the plugin at once. What is in the ' +
      'plugin folder is removed by removing its file.',
  ],
  flags: [],
  positionals: [{ name: 'NAME', complete: 'plugin' }],
  examples: [{ note: 'take it out', command: 'se plugins remove vault' }],
  storeless: true,
  async run(context) {
    const { env, positionals, stderr } = context
    const [name = ''] = positionals
    const [{ readConfig }, { removePluginTable }, { pluginsOf }, { PluginStates }, { tellDaemon }] = await Promise.all([
      import('../../config/config.js'),
      import('../../config/write-config.js'),
      import('../../plugin-host/configured-plugins.js'),
      import('../../plugin-host/plugin-states.js'),
      import('../tell-daemon.js'),
    ])
    const config = await readConfig(env)
    const inFolder = config.plugins.some((plugin) => plugin.name === name)
      ? undefined
      : pluginsOf(config).find((plugin) => plugin.name === name)
    if (inFolder !== undefined) {
      const { createError } = await import('../../errors/secrets-error.js')
      throw createError('SE_INVALID_OPTION', `the plugin ${name} is a program in the plugin folder`, {
        hint: `remove the file: ${inFolder.command[0]}; or: se plugins disable ${name}`,
      })
    }
    await removePluginTable(config.file, name)
    new PluginStates(config.paths.pluginStateFile).forget(name)
    stderr.write(`Removed from ${config.file}.\n`)
    await tellDaemon(context, config.file)
    return 0
  },
}
