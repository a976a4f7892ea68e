/** The man page, in roff, made from the tables of the commands. Nothing in it depends on when or where it is made. */
import { SETTINGS } from '../config/settings.js'
import type { Command, CommandEntry } from './command.js'
import { EXIT_STATUSES } from './exit-statuses.js'
import { flagSpelling, flagSummary, usageLines } from './help.js'
import { HELP_FLAG } from './parse-arguments.js'

/** The text of man/se.1. */
export async function manPage(entries: readonly CommandEntry[], version: string): Promise<string> {
  const commands = await loadTree(entries)
  const parts = [
    `.\\" Made by npm run generate from the tables of the commands.`,
    `.TH SE 1 "" ${quoted(`se-native ${version}`)} "User Commands"`,
    '.SH NAME',
    'se \\- keep secrets, and put them where they are used',
    '.SH SYNOPSIS',
    '.B se',
    '.I COMMAND',
    '.RI [ ARGUMENTS ]',
    '.SH DESCRIPTION',
    text(
      'Write se://ID wherever a secret is wanted, and the value appears there, only there, at the moment it is used. Values ' +
        'come from the keychain of the operating system, from an encrypted file, or from plugins: programs in any language that ' +
        'answer for a part of the IDs.',
    ),
    '.PP',
    text(
      'Nothing needs a daemon. Where one runs, it is one engine for all programs of the user: it keeps the store open and ' +
        'the plugins running, and answers over a Unix socket.',
    ),
    '.SH COMMANDS',
    ...commands.flatMap(commandSection),
    '.SH EXIT STATUS',
    ...EXIT_STATUSES.flatMap(([status, meaning]) => ['.TP', `.B ${status}`, text(meaning)]),
    '.SH ENVIRONMENT',
    ...Object.values(SETTINGS).flatMap(({ variable, key, summary }) => [
      '.TP',
      `.B ${text(variable)}`,
      text(`${summary} (${key} in config.toml)`),
    ]),
    ...OTHER.flatMap(([variable, meaning]) => ['.TP', `.B ${text(variable)}`, text(meaning)]),
    '.SH FILES',
    ...FILES.flatMap(([file, meaning]) => ['.TP', `.I ${text(file)}`, text(meaning)]),
    '.SH SEE ALSO',
    '.BR age (1),',
    '.BR secret\\-tool (1)',
  ]
  return `${parts.join('\n')}\n`
}

const OTHER: readonly (readonly [string, string])[] = [
  ['SE_CONFIG', 'the configuration file, instead of the one below'],
  ['SE_PASSPHRASE', 'the passphrase of the encrypted file; it never reaches a command'],
  ['SE_SOCKET', 'the address of the daemon, instead of the first of those in config.toml'],
  ['VISUAL, EDITOR', 'the editor of se edit'],
  ['NO_COLOR', 'no colours when set and not empty'],
]

const FILES: readonly (readonly [string, string])[] = [
  ['$XDG_CONFIG_HOME/se-native/config.toml', 'the configuration; ~/.config by default'],
  ['$XDG_DATA_HOME/se-native/store.age', 'the encrypted file; ~/.local/share by default'],
  ['$XDG_DATA_HOME/se-native/identity.age', 'its key, itself encrypted when it has a passphrase'],
]

/** Every command, each followed by its own commands. */
export async function loadTree(entries: readonly CommandEntry[]): Promise<Command[]> {
  const tree: Command[] = []
  for (const entry of entries) {
    const command = await entry.load()
    tree.push(command, ...(await loadTree(command.commands ?? [])))
  }
  return tree
}

function commandSection(command: Command): string[] {
  return [
    `.SS ${quoted(`se ${command.name}: ${command.summary}`)}`,
    '.nf',
    ...usageLines(command).map((line) => `.B ${quoted(line)}`),
    '.fi',
    ...command.description.flatMap((paragraph) => ['.PP', text(paragraph)]),
    ...[...command.flags, HELP_FLAG].flatMap((flag) => [
      '.TP',
      `.B ${quoted(flagSpelling(flag).trim())}`,
      text(flagSummary(flag)),
    ]),
    ...command.examples.flatMap(({ note, command: line }) => [
      '.PP',
      `${text(note)}:`,
      '.PP',
      '.nf',
      '.RS',
      text(line),
      '.RE',
      '.fi',
    ]),
  ]
}

/** Text in roff: backslashes, dashes and quotes as they are, no line read as a request. */
function text(plain: string): string {
  return plain
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga')
    .replaceAll('^', '\\(ha')
    .replaceAll('~', '\\(ti')
    .replace(/^\./gm, '\\&.')
}

function quoted(plain: string): string {
  return `"${text(plain).replaceAll('"', '\\(dq')}"`
}
