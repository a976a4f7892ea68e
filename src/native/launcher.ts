// Finds the launcher, the native program that is the parent of a command: in the platform's package, or from a local build.
import { accessSync, constants } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createError } from '../errors/secrets-error.js'
import { platformName } from './load.js'

/**
 * The path of the launcher: in the package `se-native-<platform>`, where the addon is, else at the top level of this
 * package, where a local build puts it.
 * @param here - The URL or the path of a file of this package. For tests.
 * @throws `InternalError` `SE_NATIVE_MISSING`, whose details list the paths that were tried.
 */
export function launcherPath(here: string = import.meta.url, platform = platformName()): string {
  const file = here.startsWith('file:') ? fileURLToPath(here) : here
  const [, modules] = /^(.*[\\/]node_modules[\\/])se-native[\\/]/.exec(file) ?? []
  const paths = [
    ...(modules === undefined ? inPackage(file, platform) : [`${modules}se-native-${platform}/se`]),
    join(dirname(file), '../..', `se.${platform}`),
  ]
  const found = paths.find(isProgram)
  if (found !== undefined) return found
  throw createError('SE_NATIVE_MISSING', `the launcher for ${platform} is missing; tried:\n  ${paths.join('\n  ')}`, {
    hint: `install it with: npm install se-native-${platform} (package managers leave it out with --omit=optional)`,
    details: { platform, paths },
  })
}

/** Where Node's own search finds the package, which need not be beside this one. */
function inPackage(from: string, platform: string): string[] {
  try {
    const require = process.getBuiltinModule('node:module').createRequire(from)
    return [require.resolve(`se-native-${platform}/package.json`).replace(/package\.json$/, 'se')]
  } catch {
    return []
  }
}

function isProgram(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}
