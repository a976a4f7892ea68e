import { checkOptions, checkString } from '../argument.js'
import { isPlugin, type Plugin } from '../engine/plugin.js'
import { createError, SecretsError } from '../errors/secrets-error.js'

/** How a plugin runs in a process of its own. */
export interface RunPluginOptions {
  /** The address of the daemon: a path, or `@name` in Linux's abstract space. */
  readonly socket?: string | undefined
  /** The name to register with; by default the plugin's own. A launched plugin has the name that it was launched with. */
  readonly name?: string | undefined
}

/**
 * Runs a plugin in this process for an engine in another, ours or Docker's: launched by it, or dialling its daemon (the
 * option `socket`, else `SE_SOCKET`, our daemon's address, Docker's). Logs to standard error.
 * @returns when the session has ended: the engine left or asked the plugin to end, or this process got SIGTERM or SIGINT.
 *   Requests under way have two seconds then.
 * @throws `PluginError` `SE_PLUGIN_INVALID` for what `definePlugin` did not make; `DaemonError` `SE_DAEMON_UNREACHABLE`;
 *   `SE_SOCKET_UNSAFE` when the daemon is neither this user's nor root's; why the engine refused the plugin, such as
 *   `SE_PLUGIN_DUPLICATE`.
 */
export async function runPlugin(plugin: Plugin, options: RunPluginOptions = {}): Promise<void> {
  checkOptions(options, ['socket', 'name'])
  checkString('socket', options.socket)
  checkString('name', options.name)
  if (!isPlugin(plugin)) {
    throw createError('SE_PLUGIN_INVALID', 'what is to run was not made by definePlugin', {
      hint: 'runPlugin(definePlugin({ … }))',
    })
  }
  // Whoever only resolves references need not load HTTP and protobuf.
  const at = {} as { readonly stack: string }
  Error.captureStackTrace(at, runPlugin)
  const { runHere } = await import('./plugin-process.js')
  try {
    await runHere(plugin, options)
  } catch (error) {
    // Its place is the program that called: no line of ours tells its author more than the message.
    if (SecretsError.is(error)) error.stack = `${error.name}: ${error.message}\n${at.stack.replace(/^.*\n/, '')}`
    throw error
  }
}
