/** `se plugins enable` and `disable`: through the daemon where one runs, else for the next one, and for every command. */
import type { Command, Context } from '../command.js'

/** Enables a plugin. */
export const enable: Command = {
  name: 'plugins enable',
  summary: 'let a plugin be asked again, and start it',
  usage: ['NAME'],
  description: [
    'Also starts a plugin again that ended too often. A plugin stays enabled until it is disabled, for every program and ' +
      'over a restart of the daemon.',
  ],
  flags: [],
  positionals: [{ name: 'NAME', complete: 'plugin' }],
  examples: [{ note: 'ask it again', command: 'se plugins enable vault' }],
  run: (context) => change(context, true),
}

/** Disables a plugin. */
export const disable: Command = {
  name: 'plugins disable',
  summary: 'end a plugin, and keep it from being asked',
  usage: ['NAME'],
  description: [
    'A plugin stays disabled until it is enabled, for every program and over a restart of the daemon. The plugin of the ' +
      'chosen store cannot be disabled: se store use chooses another one.',
  ],
  flags: [],
  positionals: [{ name: 'NAME', complete: 'plugin' }],
  examples: [{ note: 'do not ask it', command: 'se plugins disable vault' }],
  run: (context) => change(context, false),
}

async function change({ env, positionals }: Context, enabled: boolean): Promise<number> {
  const [name = ''] = positionals
  const { findDaemon } = await import('../../client/find-daemon.js')
  const daemon = await findDaemon(env)
  if (daemon !== undefined) {
    await (enabled ? daemon.enablePlugin(name) : daemon.disablePlugin(name)).finally(() => daemon.close())
    return 0
  }
  const [{ readConfig }, { pluginsOf }, { PluginStates }] = await Promise.all([
    import('../../config/config.js'),
    import('../../plugin-host/configured-plugins.js'),
    import('../../plugin-host/plugin-states.js'),
  ])
  const config = await readConfig(env)
  const states = new PluginStates(config.paths.pluginStateFile)
  // One that connects by itself is known to a daemon only, but what was disabled can be enabled.
  const known = [...pluginsOf(config).map((plugin) => plugin.name), ...(enabled ? states.disabled() : [])]
  if (!known.includes(name)) throw await unknown(name, known)
  states.setEnabled(name, enabled)
  return 0
}

async function unknown(name: string, known: readonly string[]): Promise<Error> {
  const [{ createError }, { nearest }, { isPluginName }] = await Promise.all([
    import('../../errors/secrets-error.js'),
    import('../../nearest.js'),
    import('../../config/tables.js'),
  ])
  const shown = isPluginName(name) ? ` ${name}` : ' of this name'
  if (name === 'docker-pass') {
    return createError('SE_INVALID_OPTION', 'the plugin docker-pass is always enabled', {
      hint: 'it answers from the chosen store: se store use chooses another',
    })
  }
  const meant = nearest(name, known)
  return createError('SE_NO_PLUGIN', `no plugin${shown} is configured`, {
    hint: meant === undefined ? 'se plugins ls shows all; se plugins add adds one' : `did you mean ${meant}?`,
  })
}
