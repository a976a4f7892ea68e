/**
 * The native launcher behind `se`. Package managers link `se` to the JavaScript command line, since the `bin` of a
 * platform's package loses to that of the main one; on Unix that link can lead to the launcher instead.
 * @see docs/decisions/2026-11-26-launcher.md
 */
import { spawnSync } from 'node:child_process'
import { accessSync, chmodSync, constants, lstatSync, realpathSync, renameSync, symlinkSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { launcherPlaces } from '../native/launcher.js'
import { VERSION } from '../version.js'

/** What a link was found to be. */
export type LinkState =
  /** It leads to the launcher now. */
  | 'linked'
  /** It led there before. */
  | 'native'
  /** It is none, or leads to another program: it is left alone. */
  | 'foreign'

/**
 * The launcher for a command line, where it is installed and works here.
 * @param cli - The real path of `dist/cli.cjs`.
 */
export function findLauncher(cli: string, platform: string): string | undefined {
  return launcherPlaces(join(dirname(cli), 'native/launcher.js'), platform).find((place) => works(place))
}

/** Whether it starts here, and finds its way back to this very version. */
function works(launcher: string): boolean {
  try {
    if (!isExecutable(launcher)) chmodSync(launcher, 0o755)
    const { stdout } = spawnSync(launcher, ['--version'], { stdio: ['ignore', 'pipe', 'ignore'], timeout: 20_000 })
    return String(stdout) === `se ${VERSION}\n`
  } catch {
    return false
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return lstatSync(path).isDirectory() // throws where nothing is
  }
}

/** Has a link that leads to the command line lead to the launcher, and leaves any other alone. */
export function linkLauncher(link: string, cli: string, launcher: string): LinkState {
  const real = realpathOrNothing(link)
  if (real === undefined || lstatSync(link).isSymbolicLink() === false) return 'foreign'
  if (real === realpathSync(launcher)) return 'native'
  if (real !== cli) return 'foreign'
  const temporary = `${link}.${process.pid}`
  symlinkSync(relative(realpathSync(dirname(link)), realpathSync(launcher)), temporary)
  renameSync(temporary, link)
  return 'linked'
}

function realpathOrNothing(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    return undefined
  }
}
