/** `se plugins add`: writes a plugin into config.toml. */
import type { Command } from '../command.js'
import { UsageError } from '../usage-error.js'

/** Adds a plugin. */
export const command: Command = {
  name: 'plugins add',
  summary: 'have a program started as a plugin',
  usage: ['NAME [--pattern PATTERN] [--lines] -- COMMAND…'],
  description: [
    'Written to config.toml; its comments and other keys stay. A daemon that runs starts the plugin at once; without one it ' +
      'is started by the first command that asks for what it answers for. The command is started in your home folder, ' +
      'without a shell: files that are named from here are written with their whole path.',
    'With --lines it is a program that is started for each request and speaks lines of JSON; otherwise one that stays, built ' +
      'with runPlugin or Docker’s Go module.',
  ],
  flags: [
    {
      name: 'pattern',
      value: 'PATTERN',
      summary: 'ask it for no more than this; by default for all that it registers',
    },
    { name: 'lines', summary: 'it speaks lines of JSON on its standard input and output' },
  ],
  positionals: [{ name: 'NAME' }],
  rest: { name: 'COMMAND' },
  examples: [
    { note: 'a program that stays', command: 'se plugins add vault -- ./vault-plugin --fast' },
    { note: 'a script', command: "se plugins add hosts --lines --pattern 'hosts/**' -- ./hosts" },
  ],
  storeless: true,
  async run(context) {
    const { env, flags, positionals, rest, stderr } = context
    const [name = ''] = positionals
    const pattern = flags.value('pattern')
    await check(name, pattern)
    const [{ readConfig }, { addPluginTable }, { tellDaemon }, { wholeCommand }, { printHint }] = await Promise.all([
      import('../../config/config.js'),
      import('../../config/write-config.js'),
      import('../tell-daemon.js'),
      import('../plugin-program.js'),
      import('../report.js'),
    ])
    const { file, paths } = await readConfig(env)
    const { command, missing } = wholeCommand(rest, env)
    await addPluginTable(file, name, { command, pattern, protocol: flags.has('lines') ? 'lines' : undefined })
    const { PluginStates } = await import('../../plugin-host/plugin-states.js')
    new PluginStates(paths.pluginStateFile).forget(name)
    stderr.write(`Written to ${file}.\n`)
    for (const word of missing) printHint(stderr, `there is no ${word} here: it is written with its whole path`)
    await tellDaemon(context, file)
    return 0
  },
}

async function check(name: string, pattern: string | undefined): Promise<void> {
  const { isPluginName } = await import('../../config/tables.js')
  if (!isPluginName(name)) throw new UsageError('NAME is letters, digits, dots, underscores and hyphens')
  if (name === 'docker-pass') throw new UsageError('docker-pass is the name of the built-in plugin', 'choose another')
  if (pattern !== undefined) (await import('../../pattern.js')).parsePattern(pattern)
}
