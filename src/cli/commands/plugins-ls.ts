/** `se plugins ls`: all plugins, as the daemon knows them, else as they are configured. Starts none. */
import type { PluginInfo } from '../../engine/engine.js'
import type { Command, Output } from '../command.js'
import { jsonFlag, NO_DAEMON_FLAG } from '../flags.js'

/** Lists plugins. */
export const command: Command = {
  name: 'plugins ls',
  summary: 'list plugins, and how they are doing',
  usage: ['[--json] [--no-daemon]'],
  description: [
    'In the order of their answers: the chosen store first. Without a daemon, plugins run only while a command needs them, ' +
      'and their version and pattern are those of the last time.',
  ],
  flags: [
    jsonFlag('a list of name, version, kind, pattern, enabled, builtIn, configurable, status, message'),
    NO_DAEMON_FLAG,
  ],
  positionals: [],
  examples: [
    { note: 'all', command: 'se plugins ls' },
    { note: 'those that do not run', command: `se plugins ls --json | jq '.[] | select(.status != "running")'` },
  ],
  async run(context) {
    const { env, flags, stdout, stderr } = context
    const { openCliEngine } = await import('../open-engine.js')
    const { engine } = await openCliEngine(context)
    const plugins = await engine.listPlugins().finally(() => engine.close())
    await tellPassedOver(env, stderr)
    if (flags.has('json')) {
      const rows = plugins.map(({ statusMessage, ...plugin }) => ({ ...plugin, message: statusMessage }))
      stdout.write(`${JSON.stringify(rows)}\n`)
      return 0
    }
    const { columns } = await import('../columns.js')
    stdout.write(columns([['NAME', 'VERSION', 'PATTERN', 'STATUS', 'MESSAGE'], ...plugins.map(row)]))
    return 0
  },
}

/** What somebody put into the plugin folder, and may look for in the list. */
async function tellPassedOver(env: NodeJS.ProcessEnv, stderr: Output): Promise<void> {
  const [{ defaultPaths, pathBase }, { lookIntoFolder }, { printHint }] = await Promise.all([
    import('../../config/paths.js'),
    import('../../plugin-host/plugin-folder.js'),
    import('../report.js'),
  ])
  for (const { path, reason, advice } of lookIntoFolder(defaultPaths(pathBase(env)).pluginFolder).passedOver) {
    printHint(stderr, `no plugin is started from ${path}: ${reason}; ${advice}`)
  }
}

function row({ name, version, kind, pattern, enabled, status, statusMessage = '' }: PluginInfo): string[] {
  const ids = kind === 'secrets' ? pattern : 'decides about access'
  const shown = version === 'v0.0.0' ? '-' : version // not known yet, or a program that has none
  return enabled ? [name, shown, ids, status, statusMessage] : [name, shown, ids, 'disabled', '']
}
