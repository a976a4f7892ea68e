/** The plugin folder: each program in it is a plugin of that name, launched over a session. */
import { constants, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { isPluginName, type PluginConfig } from '../config/tables.js'
import type { PluginLogger } from '../engine/plugin.js'

/**
 * The plugins in the folder, by name; none when it is not there. What others than this user and root may write is left
 * out, and told.
 */
export function pluginsInFolder(folder: string, log: PluginLogger): PluginConfig[] {
  if (process.platform === 'win32' || !isTrusted(folder, log)) return []
  return readdirSync(folder)
    .sort()
    .flatMap((name) => {
      const file = join(folder, name)
      const stat = statSync(file, { throwIfNoEntry: false })
      if (stat?.isFile() !== true || (stat.mode & constants.S_IXUSR) === 0 || !isTrusted(file, log)) return []
      if (!isPluginName(name)) {
        log.warn('a program in the plugin folder has no valid name', { folder })
        return []
      }
      const command = [file] as const
      return [{ name, command, env: {}, protocol: 'session', ...NOTHING_ELSE }]
    })
}

const NOTHING_ELSE = { pattern: undefined, timeoutMs: undefined, cacheTtlMs: undefined } as const

function isTrusted(path: string, log: PluginLogger): boolean {
  const stat = statSync(path, { throwIfNoEntry: false })
  if (stat === undefined) return false
  const isOurs = stat.uid === process.getuid?.() || stat.uid === 0
  if (isOurs && (stat.mode & (constants.S_IWGRP | constants.S_IWOTH)) === 0) return true
  log.warn('others may write there: no plugin is started from it', { path })
  return false
}
