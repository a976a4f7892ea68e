/** The table of commands. Only names and summaries: a command's module is loaded when it is used. */
import type { CommandEntry } from './command.js'

/** Every command, in the order of the help. */
export const COMMANDS: readonly CommandEntry[] = [
  { name: 'set', summary: 'keep a secret', load: async () => (await import('./commands/set.js')).command },
  {
    name: 'get',
    summary: 'show a secret, or give its value out',
    load: async () => (await import('./commands/get.js')).command,
  },
  { name: 'ls', summary: 'list what is kept', load: async () => (await import('./commands/ls.js')).command },
  { name: 'rm', summary: 'remove secrets', load: async () => (await import('./commands/rm.js')).command },
  {
    name: 'mv',
    summary: 'give a secret another ID',
    load: async () => (await import('./commands/mv.js')).command,
  },
  {
    name: 'cp',
    summary: 'copy a secret to another ID',
    load: async () => (await import('./commands/cp.js')).command,
  },
  {
    name: 'generate',
    summary: 'make a random value and keep it',
    load: async () => (await import('./commands/generate.js')).command,
  },
  {
    name: 'edit',
    summary: 'change a secret in your editor',
    load: async () => (await import('./commands/edit.js')).command,
  },
  {
    name: 'run',
    summary: 'start a command with its secrets',
    load: async () => (await import('./commands/run.js')).command,
  },
  {
    name: 'env',
    summary: 'print variables with their secrets, for eval and direnv',
    load: async () => (await import('./commands/env.js')).command,
  },
  {
    name: 'redact',
    summary: 'replace secrets in a stream',
    load: async () => (await import('./commands/redact.js')).command,
  },
  {
    name: 'explain',
    summary: 'show which plugins answer for a reference, and which answer wins',
    load: async () => (await import('./commands/explain.js')).command,
  },
  {
    name: 'plugins',
    summary: 'list plugins, add, disable and test them',
    load: async () => (await import('./commands/plugins.js')).command,
  },
  {
    name: 'daemon',
    summary: 'run one engine for all programs of this user',
    load: async () => (await import('./commands/daemon.js')).command,
  },
  {
    name: 'unlock',
    summary: 'open the daemon’s store for all programs',
    load: async () => (await import('./commands/unlock.js')).command,
  },
  {
    name: 'lock',
    summary: 'have the daemon forget the passphrase and all values',
    load: async () => (await import('./commands/lock.js')).command,
  },
  {
    name: 'store',
    summary: 'show which store is used, choose it, move secrets between stores',
    load: async () => (await import('./commands/store.js')).command,
  },
  {
    name: 'doctor',
    summary: 'check what works, and say what to do',
    load: async () => (await import('./commands/doctor.js')).command,
  },
  {
    name: 'setup',
    summary: 'make other programs find this one',
    load: async () => (await import('./commands/setup.js')).command,
  },
  {
    name: 'completion',
    summary: 'print the completion script of a shell',
    load: async () => (await import('./commands/completion.js')).command,
  },
  {
    name: 'version',
    summary: 'show the version',
    load: async () => (await import('./commands/version.js')).command,
  },
  {
    name: 'help',
    summary: 'explain a command, with examples',
    load: async () => (await import('./commands/help.js')).command,
  },
]

/** What the shells call; not listed. */
export const HIDDEN: readonly CommandEntry[] = [
  {
    name: '__complete',
    summary: 'complete an unfinished command line, for the shells',
    load: async () => (await import('./commands/complete.js')).command,
  },
]

/** What other tools call a command, and ours. */
export const OTHER_NAMES: Readonly<Record<string, string>> = {
  list: 'ls',
  remove: 'rm',
  delete: 'rm',
  unset: 'rm',
  show: 'get',
  read: 'get',
  cat: 'get',
  rename: 'mv',
  move: 'mv',
  copy: 'cp',
  exec: 'run',
  add: 'set',
  put: 'set',
  insert: 'set',
  write: 'set',
  init: 'store use',
  import: 'store import',
  export: 'store export',
}
