/** `se __complete`: what the completion scripts call. Not in the list of commands; fails silently. */
import type { Command } from '../command.js'
import { COMMANDS } from '../commands.js'

/** Completes an unfinished command line: the kind of the offer, then a word a line with what it means. */
export const command: Command = {
  name: '__complete',
  summary: 'complete an unfinished command line, for the shells',
  usage: ['-- WORD…'],
  description: ['The first line is words, files or programs; each further line a word, a tab and its meaning.'],
  flags: [],
  positionals: [],
  rest: { name: 'WORD', optional: true },
  examples: [],
  async run({ rest, stdout, env }) {
    const { complete } = await import('../complete.js')
    const { kind, words } = await complete(rest, COMMANDS, {
      id: idsOfChosenStore,
      plugin: (prefix) => pluginNames(prefix, env),
    })
    stdout.write(`${kind}\n${words.map(({ word, note = '' }) => `${word}\t${note}\n`).join('')}`)
    return 0
  },
}

/** The ids of the chosen store; none when that would need a person, or fails. */
async function idsOfChosenStore(prefix: string): Promise<readonly string[]> {
  try {
    const [{ readConfig }, { openStore }] = await Promise.all([
      import('../../config/config.js'),
      import('../../store/open-store.js'),
    ])
    using store = await openStore({ prompt: false, timeoutMs: (await readConfig()).timeoutMs?.value })
    return (await store.list('**', { times: false })).map(({ id }) => id).filter((id) => id.startsWith(prefix))
  } catch {
    return []
  }
}

/** The plugins of the engine that would be asked; none when that fails. */
async function pluginNames(prefix: string, env: NodeJS.ProcessEnv): Promise<readonly string[]> {
  try {
    const [{ findDaemon }, { openLocalEngine }] = await Promise.all([
      import('../../client/find-daemon.js'),
      import('../../client/local-engine.js'),
    ])
    const engine = (await findDaemon(env)) ?? (await openLocalEngine(env))
    const plugins = await engine.listPlugins().finally(() => engine.close())
    return plugins.map(({ name }) => name).filter((name) => name.startsWith(prefix))
  } catch {
    return []
  }
}
