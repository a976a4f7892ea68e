/** Help texts, made from the tables of the commands. No line is longer than 100 columns. */
import type { Command, CommandEntry, Flag } from './command.js'
import { HELP_FLAG } from './parse-arguments.js'

const WIDTH = 100

/** Breaks a text into lines of at most `width` columns at its spaces. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = []
  let line = ''
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line)
      line = word
    } else line = line === '' ? word : `${line} ${word}`
  }
  lines.push(line)
  return lines
}

/** Two columns, the second wrapped. */
export function table(rows: readonly (readonly [string, string])[]): string {
  const first = Math.max(...rows.map(([left]) => left.length))
  return rows
    .map(([left, right]) =>
      wrap(right, WIDTH - first - 4)
        .map((line, number) => `  ${number === 0 ? left.padEnd(first) : ' '.repeat(first)}  ${line}\n`)
        .join(''),
    )
    .join('')
}

/** A flag as it is typed, such as `-o, --output FILE`. */
export function flagSpelling(flag: Flag): string {
  const value = flag.value === undefined ? '' : flag.bare === undefined ? ` ${flag.value}` : `[=${flag.value}]`
  const long = `--${flag.name}${value}`
  return flag.short === undefined ? `    ${long}` : `-${flag.short}, ${long}`
}

/** What the help says about a flag. */
export function flagSummary(flag: Flag): string {
  return flag.repeat === true ? `${flag.summary} (may be repeated)` : flag.summary
}

/** The usage lines of a command, such as `se get ID [--reveal]`. */
export function usageLines(command: Command): string[] {
  return command.usage.map((usage) => `se ${command.name}${usage === '' ? '' : ` ${usage}`}`)
}

/** What `se help COMMAND` prints. */
export function commandHelp(command: Command): string {
  const parts = [`se ${command.name}: ${command.summary}\n`]
  const [first, ...others] = usageLines(command)
  parts.push([`Usage: ${first}`, ...others.map((line) => `       ${line}`)].map((line) => `${line}\n`).join(''))
  for (const paragraph of command.description) {
    parts.push(
      wrap(paragraph, WIDTH)
        .map((line) => `${line}\n`)
        .join(''),
    )
  }
  if (command.commands !== undefined) {
    const rows = command.commands.map((entry) => [`se ${command.name} ${entry.name}`, entry.summary] as const)
    parts.push(`Commands:\n${table(rows)}`)
  }
  const flags = [...command.flags, HELP_FLAG].map((flag) => [flagSpelling(flag), flagSummary(flag)] as const)
  parts.push(`Flags:\n${table(flags)}`)
  if (command.examples.length > 0) {
    const examples = command.examples.map(({ note, command: line }) => `  # ${note}\n  ${line}\n`)
    parts.push(`Examples:\n${examples.join('\n')}`)
  }
  return parts.join('\n')
}

/** What `se --help` prints. */
export function overview(commands: readonly CommandEntry[]): string {
  return `se: write se://ID wherever a secret is wanted, and the value appears there, only when it is used

Usage: se COMMAND [ARGUMENTS]
       se help COMMAND

Commands:
${table(commands.map(({ name, summary }) => [name, summary] as const))}
Examples:
  # keep a secret: typed at a hidden prompt, or read from standard input
  se set postgres/prod/password
  echo "$TOKEN" | se set github/token

  # start a program with it; the program's own files and arguments hold only the reference
  PGPASSWORD=se://postgres/prod/password se run -- psql -h db.example

  # see what is kept, and where
  se ls
  se store

Exit status: 0 done, 1 failed, 2 wrong use, 3 not found, 4 locked or denied, 5 unreachable.
se run: 125 failed by itself, 126 cannot execute the command, 127 did not find it.
`
}
