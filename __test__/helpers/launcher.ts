// The native program behind `se`, as the build puts it at the top level.
import { existsSync, mkdirSync, readdirSync, statSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { platformName } from '../../src/native/load.js'
import type { Home } from './se.js'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** The program. */
export const launcher = join(root, `se.${platformName()}`)

/** Fails when the program is missing or older than its sources: a test of an old program proves nothing. */
export function checkLauncher(): void {
  const sources = readdirSync(join(root, 'crates/launcher/src'), { withFileTypes: true, recursive: true })
  const newest = Math.max(...sources.map((file) => statSync(join(file.parentPath, file.name)).mtimeMs))
  const built = statSync(launcher, { throwIfNoEntry: false })?.mtimeMs ?? 0
  if (built < newest) throw new Error(`${launcher} is missing or older than crates/launcher: npm run build:native`)
}

/**
 * A PATH without Node for a home: a folder with a few programs of the system. A launcher that would hand over fails there,
 * and the JavaScript command line runs all the same, by its Node's own path.
 */
export function pathWithoutNode(home: Home): string {
  const folder = join(home.folder, 'bin')
  if (existsSync(folder)) return folder
  mkdirSync(folder)
  for (const name of ['cat', 'cut', 'env', 'ls', 'nohup', 'printenv', 'sh', 'true']) {
    const from = ['/bin', '/usr/bin'].map((place) => join(place, name)).find((path) => existsSync(path))
    if (from !== undefined) symlinkSync(from, join(folder, name))
  }
  return folder
}
