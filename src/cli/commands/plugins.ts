/** `se plugins`: what answers beside the chosen store. */
import type { Command } from '../command.js'
import { UsageError } from '../usage-error.js'

/** Holds the commands of plugins. */
export const command: Command = {
  name: 'plugins',
  summary: 'list plugins, add, disable and test them',
  usage: ['COMMAND'],
  description: [
    'A plugin answers for a pattern of IDs, beside the chosen store: a program that se starts, or one that connects to the ' +
      'daemon by itself. It is written in any language: se plugins init makes one that works.',
    'Those that se starts are in config.toml, or programs in the plugin folder (se-native/plugins in the data folder). They ' +
      'get a clean environment: PATH, HOME, the language, and what config.toml gives them.',
  ],
  flags: [],
  positionals: [],
  commands: [
    {
      name: 'ls',
      summary: 'list plugins, and how they are doing',
      load: async () => (await import('./plugins-ls.js')).command,
    },
    {
      name: 'enable',
      summary: 'let a plugin be asked again, and start it',
      load: async () => (await import('./plugins-enable.js')).enable,
    },
    {
      name: 'disable',
      summary: 'end a plugin, and keep it from being asked',
      load: async () => (await import('./plugins-enable.js')).disable,
    },
    {
      name: 'add',
      summary: 'have a program started as a plugin',
      load: async () => (await import('./plugins-add.js')).command,
    },
    {
      name: 'remove',
      summary: 'take a plugin out of config.toml',
      load: async () => (await import('./plugins-remove.js')).command,
    },
    {
      name: 'logs',
      summary: 'show what a plugin wrote',
      load: async () => (await import('./plugins-logs.js')).command,
    },
    {
      name: 'init',
      summary: 'write a plugin that works, to begin with',
      load: async () => (await import('./plugins-init.js')).command,
    },
    {
      name: 'test',
      summary: 'check that a program keeps the rules of plugins',
      load: async () => (await import('./plugins-test.js')).command,
    },
  ],
  examples: [
    { note: 'what answers, and how it is doing', command: 'se plugins ls' },
    { note: 'a plugin of your own', command: 'se plugins init vault --lang sh' },
    { note: 'have it started', command: "se plugins add vault --lines --pattern 'vault/**' -- ./vault/vault" },
  ],
  storeless: true,
  async run({ command }) {
    throw new UsageError('se plugins needs a command', 'se plugins ls; se help plugins lists all', command)
  },
}
