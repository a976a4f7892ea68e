/** `se daemon`: the engine as a service. */
import type { Command } from '../command.js'
import { UsageError } from '../usage-error.js'

/** Holds the commands of the daemon. */
export const command: Command = {
  name: 'daemon',
  summary: 'run one engine for all programs of this user',
  usage: ['COMMAND'],
  description: [
    'The daemon is one engine that every program of this user can ask, over a Unix socket: se itself, Docker’s client and ' +
      'plugins, curl, and any language with HTTP. The store is opened and unlocked once for all of them. Nothing needs it: ' +
      'without a daemon each program has an engine of its own, which gives the same answer.',
    'It listens on se-native/daemon.sock in the runtime folder, and on the addresses of Docker’s engine, unless addresses in ' +
      'config.toml says otherwise. An address that another program listens on is left to it.',
  ],
  flags: [],
  positionals: [],
  commands: [
    {
      name: 'run',
      summary: 'run the daemon in the foreground, for a service manager',
      load: async () => (await import('./daemon-run.js')).command,
    },
    {
      name: 'start',
      summary: 'start the daemon in the background',
      load: async () => (await import('./daemon-start.js')).command,
    },
    {
      name: 'stop',
      summary: 'end the daemon, after what it is asked for',
      load: async () => (await import('./daemon-stop.js')).command,
    },
    {
      name: 'status',
      summary: 'show whether it runs, where it listens, its store and its plugins',
      load: async () => (await import('./daemon-status.js')).command,
    },
    {
      name: 'logs',
      summary: 'show what it has done',
      load: async () => (await import('./daemon-logs.js')).command,
    },
    {
      name: 'install',
      summary: 'make it a service of this user: systemd or launchd',
      load: async () => (await import('./daemon-install.js')).command,
    },
  ],
  examples: [
    { note: 'in the background', command: 'se daemon start' },
    { note: 'as a service', command: 'se daemon install' },
  ],
  storeless: true,
  async run({ command }) {
    throw new UsageError(
      'se daemon needs a command',
      'se daemon start, se daemon status; se help daemon lists all',
      command,
    )
  },
}
