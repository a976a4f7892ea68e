// Finds the launcher, the native program that is the parent of a command: in the platform's package, or from a local build.
import { accessSync, constants } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createError, type SecretsError } from '../errors/secrets-error.js'
import { platformName } from './load.js'

/**
 * The path of the launcher, which is an executable file.
 * @param here - The URL or the path of a file of this package. For tests.
 * @throws `InternalError` `SE_NATIVE_MISSING`, whose details list the paths that were tried.
 */
export function launcherPath(here: string = import.meta.url, platform = platformName()): string {
  const file = here.startsWith('file:') ? fileURLToPath(here) : here
  const paths = launcherPlaces(file, platform)
  const found = paths.find(isProgram)
  if (found !== undefined) return found
  throw launcherMissing(`the launcher for ${platform} is missing; tried:\n  ${paths.join('\n  ')}`, platform, paths)
}

/**
 * Where the launcher may be: in the package `se-native-<platform>`, where the addon is, beside this package or in it, else
 * at the top level of this one, where a local build puts it.
 * @param file - The path of a file in a folder of `dist/`.
 */
export function launcherPlaces(file: string, platform: string): string[] {
  const root = join(dirname(file), '../..')
  const [, modules] = /^(.*[\\/]node_modules[\\/])se-native[\\/]/.exec(file) ?? []
  const inPackages =
    modules === undefined
      ? inPackage(file, platform)
      : [`${modules}se-native-${platform}/se`, join(root, 'node_modules', `se-native-${platform}`, 'se')]
  return [...inPackages, join(root, `se.${platform}`)]
}

/** The error for a launcher that is not there. */
export function launcherMissing(message: string, platform: string, paths: readonly string[]): SecretsError {
  return createError('SE_NATIVE_MISSING', message, {
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
