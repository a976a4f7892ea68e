/** `se plugins add`: writes a plugin into config.toml. */
import { accessSync, constants, statSync } from 'node:fs'
import { delimiter, isAbsolute, join, resolve } from 'node:path'
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
    const [{ readConfig }, { addPluginTable }, { tellDaemon }] = await Promise.all([
      import('../../config/config.js'),
      import('../../config/write-config.js'),
      import('../tell-daemon.js'),
    ])
    const { file, paths } = await readConfig(env)
    const command = await wholeCommand(rest, env)
    await addPluginTable(file, name, { command, pattern, protocol: flags.has('lines') ? 'lines' : undefined })
    const { PluginStates } = await import('../../plugin-host/plugin-states.js')
    new PluginStates(paths.pluginStateFile).forget(name)
    stderr.write(`Written to ${file}.\n`)
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

/** The command as it works from every folder: what names a file here gets its whole path. */
async function wholeCommand([program = '', ...args]: readonly string[], env: NodeJS.ProcessEnv): Promise<string[]> {
  const isPath = /[/\\]/.test(program)
  const places = isPath
    ? [resolve(program)]
    : (env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, program))
  if (!places.some(isExecutable)) {
    const { createError } = await import('../../errors/secrets-error.js')
    const isThere = isPath && isFile(resolve(program))
    const hint = 'name a program, such as ./plugin, or one on the PATH'
    throw isThere
      ? createError('SE_COMMAND_NOT_EXECUTABLE', `${program} cannot be executed`, { hint: `chmod +x ${program}` })
      : createError('SE_COMMAND_NOT_FOUND', `there is no program ${program}`, { hint })
  }
  const whole = args.map((word) =>
    !word.startsWith('-') && !isAbsolute(word) && isFile(resolve(word)) ? resolve(word) : word,
  )
  return [isPath ? resolve(program) : program, ...whole]
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() === true
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return isFile(path)
  } catch {
    return false
  }
}
