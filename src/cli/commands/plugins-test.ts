/** `se plugins test`: the conformance kit for plugins. */
import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import type { PluginCheckOptions } from '../../plugin-kit/check-plugin.js'
import type { CheckResult } from '../../plugin-kit/report.js'
import type { Command, Context } from '../command.js'

/** Tests a plugin. */
export const command: Command = {
  name: 'plugins test',
  summary: 'check that a program keeps the rules of plugins',
  usage: ['NAME|PATH [--id ID]… [--lines] [-- ARGUMENT…]'],
  description: [
    'Starts the program as se does, asks it, gives requests up, kills it, starts it again and has it end, and prints in TAP ' +
      'what came of each. No value is shown. The exit status is 1 when a check failed.',
    'NAME is a plugin of config.toml or of the plugin folder; anything else is the path of a program. With IDs that it has, ' +
      'more can be checked: name a long value, one that is no text, one with metadata.',
  ],
  flags: [
    { name: 'id', value: 'ID', repeat: true, summary: 'an ID that the plugin has' },
    { name: 'lines', summary: 'the program speaks lines of JSON on its standard input and output' },
  ],
  positionals: [{ name: 'NAME|PATH', complete: 'file' }],
  rest: { name: 'ARGUMENT', optional: true },
  examples: [
    { note: 'a script', command: 'se plugins test ./vault --lines --id vault/token' },
    { note: 'a plugin that is configured', command: 'se plugins test vault --id vault/token' },
  ],
  async run(context) {
    const { flags, stdout, stderr } = context
    const { idArgument } = await import('../arguments.js')
    const ids: string[] = []
    for (const id of flags.values('id')) ids.push(await idArgument(id))
    const plugin = await pluginOf(context)
    const { checkPlugin } = await import('../../plugin-kit/check-plugin.js')
    let count = 0
    stdout.write('TAP version 13\n')
    const report = await checkPlugin({ ...plugin, ids }, (result) => stdout.write(tap(++count, result)))
    stdout.write(`1..${count}\n`)
    if (plugin.protocol !== 'lines' && report.results[0]?.status === 'failed') {
      const { printHint } = await import('../report.js')
      printHint(stderr, 'it did not register; a program that speaks lines of JSON is tested with --lines')
    }
    return report.ok ? 0 : 1
  },
}

async function pluginOf({ env, flags, positionals, rest }: Context): Promise<PluginCheckOptions> {
  const [named = ''] = positionals
  const [{ readConfig }, { pluginsOf }] = await Promise.all([
    import('../../config/config.js'),
    import('../../plugin-host/configured-plugins.js'),
  ])
  const configured = pluginsOf(await readConfig(env)).find(({ name }) => name === named)
  if (configured !== undefined && rest.length === 0 && !flags.has('lines')) return configured
  const path = resolve(named)
  if (!existsSync(path)) {
    const [{ createError }, { quote }] = await Promise.all([
      import('../../errors/secrets-error.js'),
      import('../../quote.js'),
    ])
    throw createError('SE_COMMAND_NOT_FOUND', `there is no plugin and no program ${quote(named)}`, {
      hint: 'se plugins ls shows the names; a program is named by its path',
    })
  }
  const { checkProgram } = await import('../plugin-program.js')
  checkProgram(named)
  return { command: [path, ...rest], protocol: flags.has('lines') ? 'lines' : 'session' }
}

function tap(number: number, { title, status, reason }: CheckResult): string {
  const line = `${status === 'failed' ? 'not ok' : 'ok'} ${number} - ${title}`
  if (status === 'skipped') return `${line} # SKIP ${reason}\n`
  const lines = (reason ?? '').split('\n').map((text) => `# ${text.replace(/\p{Cc}/gu, '?')}\n`)
  return reason === undefined ? `${line}\n` : `${line}\n${lines.join('')}`
}
