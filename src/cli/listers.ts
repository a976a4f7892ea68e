/** What completion lists, without asking anybody anything: nothing, where that would be needed or fails. */
import type { Listers } from './complete.js'

/** Lists what this process would ask. */
export function listers(env: NodeJS.ProcessEnv): Listers {
  return { id: idsOfChosenStore, plugin: (prefix) => pluginNames(prefix, env) }
}

async function idsOfChosenStore(prefix: string): Promise<readonly string[]> {
  try {
    const [{ readConfig }, { openStore }] = await Promise.all([
      import('../config/config.js'),
      import('../store/open-store.js'),
    ])
    using store = await openStore({ prompt: false, timeoutMs: (await readConfig()).timeoutMs?.value })
    return (await store.list('**', { times: false })).map(({ id }) => id).filter((id) => id.startsWith(prefix))
  } catch {
    return []
  }
}

async function pluginNames(prefix: string, env: NodeJS.ProcessEnv): Promise<readonly string[]> {
  try {
    const [{ findDaemon }, { openLocalEngine }] = await Promise.all([
      import('../client/find-daemon.js'),
      import('../client/local-engine.js'),
    ])
    const engine = (await findDaemon(env)) ?? (await openLocalEngine(env))
    const plugins = await engine.listPlugins().finally(() => engine.close())
    return plugins.map(({ name }) => name).filter((name) => name.startsWith(prefix))
  } catch {
    return []
  }
}
