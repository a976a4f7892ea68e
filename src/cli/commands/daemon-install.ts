/** `se daemon install`: the daemon as a service of the user. */
import type { Command } from '../command.js'

/** Makes the daemon a service. */
export const command: Command = {
  name: 'daemon install',
  summary: 'make it a service of this user: systemd or launchd',
  usage: ['[--uninstall]'],
  description: [
    'Writes the files of the service manager and says what starts it; starts nothing by itself. On Linux these are ' +
      'se-native.service and se-native.socket in systemd/user of the configuration folder: either of them is enough. On macOS it ' +
      'is an agent in ~/Library/LaunchAgents.',
    'A service does not have the variables of your shell: what SE_STORE and the like say belongs into config.toml then.',
  ],
  flags: [{ name: 'uninstall', summary: 'remove the files' }],
  positionals: [],
  examples: [
    {
      note: 'and start it with the first request',
      command: 'se daemon install && systemctl --user enable --now se-native.socket',
    },
  ],
  storeless: true,
  async run({ env, flags, stdout, stderr }) {
    const [{ removeService, service, writeService }, { realpathSync }] = await Promise.all([
      import('../../daemon/install.js'),
      import('node:fs'),
    ])
    const wanted = service([process.execPath, realpathSync(process.argv[1] as string)], env)
    if (flags.has('uninstall')) {
      const removed = removeService(wanted)
      for (const path of removed) stdout.write(`Removed ${path}\n`)
      if (removed.length === 0) stdout.write('No service was installed.\n')
      else stderr.write(`If it still runs: ${wanted.toStop.join('; ')}\n`)
      return 0
    }
    writeService(wanted)
    for (const { path } of wanted.files) stdout.write(`Wrote ${path}\n`)
    stderr.write('Now run:\n')
    for (const [command, note] of wanted.toStart) stderr.write(`  ${command}  # ${note}\n`)
    const variables = Object.keys(env).filter((name) => /^SE_[A-Z_]+$/.test(name))
    if (variables.length > 0) {
      const { printHint } = await import('../report.js')
      printHint(stderr, `the service will not have ${variables.join(', ')}: write what they say into config.toml`)
    }
    return 0
  },
}
