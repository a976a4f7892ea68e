/** `se setup native`: has `se` be the native launcher, where no install script has done so. */
import type { Command } from '../command.js'

/** Links the launcher. */
export const command: Command = {
  name: 'setup native',
  summary: 'make se the native program, which starts without Node where it can',
  usage: [''],
  description: [
    'Package managers link se to its JavaScript. An install script replaces that link; where scripts are switched off, as by ' +
      'npm install --ignore-scripts, this command does the same for the se that is first on the PATH.',
    'The native program does se run, se get and se redact by itself where a daemon runs, and becomes the JavaScript one for ' +
      'everything else.',
  ],
  flags: [],
  positionals: [],
  examples: [{ note: 'once for each installation', command: 'se setup native' }],
  storeless: true,
  async run({ env, stderr }) {
    const [{ existsSync, realpathSync }, { join, delimiter }, { createError }, { platformName }, native] =
      await Promise.all([
        import('node:fs'),
        import('node:path'),
        import('../../errors/secrets-error.js'),
        import('../../native/load.js'),
        import('../native-link.js'),
      ])
    if (process.platform === 'win32') {
      throw createError('SE_UNSUPPORTED', 'Windows has no native launcher', { hint: 'se works as it is' })
    }
    const platform = platformName()
    const cli = realpathSync(process.argv[1] as string)
    const launcher = native.findLauncher(cli, platform)
    if (launcher === undefined) {
      const { launcherMissing, launcherPlaces } = await import('../../native/launcher.js')
      const message = `the native launcher for ${platform} is not installed, or does not start`
      throw launcherMissing(message, platform, launcherPlaces(join(cli, '../native/launcher.js'), platform))
    }
    const folders = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder !== '')
    const link = folders.map((folder) => join(folder, 'se')).find((path) => existsSync(path))
    const state = link === undefined ? 'foreign' : native.linkLauncher(link, cli, launcher)
    if (link === undefined || state === 'foreign') {
      const what = link === undefined ? 'no se is on the PATH' : `${link} is no link to this installation`
      throw createError('SE_EXISTS', what, {
        hint: `make a link yourself, in a folder of the PATH: ln -s ${launcher} se`,
        details: { launcher },
      })
    }
    stderr.write(`${link} ${state === 'linked' ? 'leads' : 'led before'} to ${realpathSync(launcher)}\n`)
    return 0
  },
}
