/** The plugin folder: each program in it is a plugin of that name, launched over a session. */
import { closeSync, constants, openSync, readdirSync, readSync, type Stats, statSync } from 'node:fs'
import { join } from 'node:path'
import { isPluginName, type PluginConfig } from '../config/tables.js'
import type { PluginLogger } from '../engine/plugin.js'

/** What is in the folder and is no plugin, though somebody may take it for one. */
export interface PassedOver {
  /** The file, or the folder itself. */
  readonly path: string
  /** Why. */
  readonly reason: string
  /** What to do. */
  readonly advice: string
}

/** What the folder holds. */
export interface PluginFolder {
  /** Its plugins, by name. */
  readonly plugins: readonly PluginConfig[]
  readonly passedOver: readonly PassedOver[]
}

/** The plugins in the folder, by name; none when it is not there. What is passed over is told. */
export function pluginsInFolder(folder: string, log: PluginLogger): readonly PluginConfig[] {
  const { plugins, passedOver } = lookIntoFolder(folder)
  for (const { path, reason } of passedOver) log.warn('no plugin is started from the plugin folder', { path, reason })
  return plugins
}

/** What the folder holds. What others than this user and root may write is passed over. */
export function lookIntoFolder(folder: string): PluginFolder {
  const stat = process.platform === 'win32' ? undefined : statSync(folder, { throwIfNoEntry: false })
  if (stat === undefined) return { plugins: [], passedOver: [] }
  if (!isTrusted(stat)) return { plugins: [], passedOver: [laxMode(folder)] }
  const plugins: PluginConfig[] = []
  const passedOver: PassedOver[] = []
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name)
    const file = statSync(path, { throwIfNoEntry: false })
    if (file?.isFile() !== true) continue
    const isExecutable = (file.mode & constants.S_IXUSR) !== 0
    if (!isExecutable && !looksLikeProgram(path)) continue
    const wrong = wrongWith(name, path, file, isExecutable)
    if (wrong !== undefined) passedOver.push(wrong)
    else plugins.push({ name, command: [path], env: {}, protocol: 'session', ...NOTHING_ELSE })
  }
  return { plugins, passedOver }
}

const NOTHING_ELSE = { pattern: undefined, timeoutMs: undefined, cacheTtlMs: undefined } as const

function wrongWith(name: string, path: string, file: Stats, isExecutable: boolean): PassedOver | undefined {
  if (!isExecutable) return { path, reason: 'it cannot be executed', advice: `chmod +x ${path}, or take it away` }
  if (!isTrusted(file)) return laxMode(path)
  if (isPluginName(name)) return undefined
  const advice = 'a name is 1 to 128 letters, digits, dots, underscores and hyphens'
  return { path, reason: 'its name is not one of a plugin', advice }
}

/** Whether a file begins as programs do, and not as a note or some data beside them. */
function looksLikeProgram(path: string): boolean {
  const head = Buffer.alloc(4)
  try {
    const fd = openSync(path, 'r')
    try {
      readSync(fd, head)
    } finally {
      closeSync(fd)
    }
  } catch {
    return false // it could not be started, either
  }
  return PROGRAMS.some((magic) => head.toString('latin1').startsWith(magic))
}

/** A script, ELF, Mach-O of one kind and of several. */
const PROGRAMS = ['#!', '\x7fELF', '\xcf\xfa\xed\xfe', '\xca\xfe\xba\xbe']

function laxMode(path: string): PassedOver {
  return { path, reason: 'others may write there', advice: `chmod go-w ${path}; it must be yours or root’s` }
}

function isTrusted({ uid, mode }: Stats): boolean {
  const isOurs = uid === process.getuid?.() || uid === 0
  return isOurs && (mode & (constants.S_IWGRP | constants.S_IWOTH)) === 0
}
