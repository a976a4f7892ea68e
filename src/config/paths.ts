/** Where files are, on each system. Makes and reads nothing. */
import { posix, win32 } from 'node:path'

/** The environment, the system and the home folder that paths depend on. */
export interface PathBase {
  readonly env: NodeJS.ProcessEnv
  readonly platform: NodeJS.Platform
  readonly home: string
}

/** Where this process's user keeps files. */
export interface Paths {
  /** The folder of `config.toml`. */
  readonly configFolder: string
  /** `config.toml`, unless `SE_CONFIG` names another. */
  readonly configFile: string
  /** The folder of the encrypted file. */
  readonly dataFolder: string
  /** The encrypted file, unless configured otherwise. */
  readonly storeFile: string
  /** The key of the encrypted file, unless configured otherwise. */
  readonly identityFile: string
  /** The folder of plugins: each program in it is one. */
  readonly pluginFolder: string
  /** Which plugins are disabled, and what is known of plugins that do not run. */
  readonly pluginStateFile: string
  /** The folder of what plugins wrote: a file `NAME.log` for each. */
  readonly pluginLogFolder: string
}

const FOLDER = 'se-native'

/** What paths depend on, for this process. */
export function pathBase(env: NodeJS.ProcessEnv = process.env): PathBase {
  return { env, platform: process.platform, home: env['HOME'] || process.getBuiltinModule('node:os').homedir() }
}

/**
 * The default places: the XDG folders (an empty or relative variable counts as unset, as its specification says),
 * `~/Library/Application Support` on macOS where no XDG variable is set, `%APPDATA%` and `%LOCALAPPDATA%` on Windows.
 * @see XDG Base Directory Specification 0.8
 */
export function defaultPaths({ env, platform, home }: PathBase): Paths {
  const { isAbsolute, join } = platform === 'win32' ? win32 : posix
  const folder = (variable: string, ...fallback: string[]): string => {
    const value = env[variable]
    return join(value !== undefined && isAbsolute(value) ? value : join(home, ...fallback), FOLDER)
  }
  const support = ['Library', 'Application Support']
  let configFolder: string
  let dataFolder: string
  let logFolder: string
  if (platform === 'win32') {
    configFolder = folder('APPDATA', 'AppData', 'Roaming')
    dataFolder = folder('LOCALAPPDATA', 'AppData', 'Local')
    logFolder = dataFolder
  } else {
    configFolder = folder('XDG_CONFIG_HOME', ...(platform === 'darwin' ? support : ['.config']))
    dataFolder = folder('XDG_DATA_HOME', ...(platform === 'darwin' ? support : ['.local', 'share']))
    logFolder = folder('XDG_STATE_HOME', ...(platform === 'darwin' ? ['Library', 'Logs'] : ['.local', 'state']))
  }
  return {
    configFolder,
    configFile: join(configFolder, 'config.toml'),
    dataFolder,
    storeFile: join(dataFolder, 'store.age'),
    identityFile: join(dataFolder, 'identity.age'),
    pluginFolder: join(dataFolder, 'plugins'),
    pluginStateFile: join(dataFolder, 'plugins.json'),
    pluginLogFolder: join(logFolder, 'plugins'),
  }
}

/** An absolute path: `~/` is the home folder, a relative path begins at `from`. */
export function absolutePath(path: string, from: string, { platform, home }: PathBase): string {
  const { join, resolve } = platform === 'win32' ? win32 : posix
  return path === '~' || /^~[/\\]/.test(path) ? join(home, path.slice(1)) : resolve(from, path)
}
