/**
 * The environment of a plugin's process: a few variables that say where it is, and what the configuration gives it. Nothing
 * else of ours: variables hold passwords, and a plugin sees only its own.
 */

const PASSED_ON = [
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'LANG',
  'TZ',
  'TMPDIR',
  'XDG_RUNTIME_DIR',
  'DBUS_SESSION_BUS_ADDRESS',
  // Without these no program starts on Windows.
  'SystemRoot',
  'PATHEXT',
  'TEMP',
  'USERPROFILE',
]

/** The variable that tells a launched plugin its name and its descriptor. */
export const LAUNCH_VARIABLE = 'DOCKER_SECRETS_ENGINE_PLUGIN_LAUNCH_CFG'

/**
 * The whole environment of a plugin.
 * @param own - What the configuration gives it; wins.
 * @param from - As `process.env`.
 */
export function pluginEnvironment(
  own: Readonly<Record<string, string>>,
  from: NodeJS.ProcessEnv = process.env,
): Record<string, string> {
  const passed = Object.entries(from).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && (PASSED_ON.includes(entry[0]) || entry[0].startsWith('LC_')),
  )
  return { ...Object.fromEntries(passed), ...own }
}

/** What a launched plugin is told: its name, nanoseconds to register in, and its descriptor. */
export function launchConfig(name: string, registrationTimeoutMs: number): string {
  return JSON.stringify({ name, timeout: registrationTimeoutMs * 1e6, fd: 3 })
}
