// `plugins.v1.Plugin` (proto/plugins/v1/plugins.proto), written by hand: Connect and protobuf cost 14 MB.
import type { PluginInfo, PluginStatus } from '../../engine/engine.js'

/** A plugin as protobuf's JSON, all fields set. */
export type PluginMessage = ReturnType<typeof pluginMessage>

/** In order of their numbers. */
const RUN_STATUSES = [
  'RUN_STATUS_UNSPECIFIED',
  'RUN_STATUS_RUNNING',
  'RUN_STATUS_STOPPED',
  'RUN_STATUS_CRASHED',
  'RUN_STATUS_RETRIES_EXCEEDED',
]
const NUMBERS: Readonly<Record<PluginStatus, number>> = { running: 1, stopped: 2, crashed: 3, 'retries exceeded': 4 }

/** A plugin for the wire. */
export function pluginMessage(plugin: PluginInfo) {
  const { name, version, kind, pattern, enabled, builtIn, configurable, status, statusMessage } = plugin
  return {
    name,
    version,
    disabled: !enabled,
    external: !builtIn,
    configurable,
    runStatus: RUN_STATUSES[NUMBERS[status]] as string,
    statusMessage: statusMessage ?? '',
    ...(kind === 'secrets' ? { secretsProvider: { pattern } } : { accessControlModule: {} }),
  }
}

/** A `plugins.v1.ListPluginsResponse` in protobuf. */
export function listPluginsResponse(plugins: readonly PluginMessage[]): Buffer {
  return Buffer.concat(plugins.map((plugin) => field(1, pluginBytes(plugin))))
}

function pluginBytes(plugin: PluginMessage): Buffer {
  return Buffer.concat([
    field(1, plugin.name),
    field(2, plugin.version),
    number(3, Number(plugin.disabled)),
    number(4, Number(plugin.external)),
    number(5, Number(plugin.configurable)),
    number(6, RUN_STATUSES.indexOf(plugin.runStatus)),
    field(7, plugin.statusMessage),
    'secretsProvider' in plugin ? field(8, field(1, plugin.secretsProvider.pattern)) : field(9, ''),
  ])
}

/** A field of text, or of a message. Its number is below 16. */
export function field(id: number, content: string | Uint8Array): Buffer {
  const bytes = Buffer.from(content as string)
  const head = [(id << 3) | 2]
  let length = bytes.length
  for (; length > 127; length >>>= 7) head.push((length & 127) | 128)
  return Buffer.concat([Buffer.from([...head, length]), bytes])
}

function number(id: number, value: number): Buffer {
  return Buffer.from([id << 3, value])
}
