// The command line as npm installs it: beside the package of its platform, where the addon is found at once.
import { cpSync, existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { platformName } from '../../dist/native/load.js'

const root = fileURLToPath(new URL('../..', import.meta.url))

/**
 * Lays the built packages out below a folder.
 * @returns the path of the command line.
 */
export function install(folder) {
  const platform = platformName()
  const main = join(folder, 'node_modules/se-native')
  const native = join(folder, `node_modules/se-native-${platform}`)
  for (const path of [main, native]) mkdirSync(path, { recursive: true })
  cpSync(join(root, 'dist'), join(main, 'dist'), { recursive: true })
  cpSync(join(root, 'package.json'), join(main, 'package.json'))
  cpSync(join(root, `npm/${platform}/package.json`), join(native, 'package.json'))
  cpSync(join(root, `se-native.${platform}.node`), join(native, `se-native.${platform}.node`))
  const launcher = join(root, `se.${platform}`)
  if (existsSync(launcher)) cpSync(launcher, join(native, 'se'))
  return join(main, 'dist/cli.cjs')
}

/** The native program of what was laid out. */
export function installedLauncher(folder) {
  return join(folder, `node_modules/se-native-${platformName()}/se`)
}
