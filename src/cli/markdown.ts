/** The reference of the commands for docs/cli.md, made from their tables. */
import { SETTINGS } from '../config/settings.js'
import type { CommandEntry } from './command.js'
import { EXIT_STATUSES } from './exit-statuses.js'
import { flagSpelling, flagSummary, usageLines } from './help.js'
import { loadTree } from './man-page.js'

/** The sections of docs/cli.md that are made, by the name in their markers. */
export async function markdownSections(entries: readonly CommandEntry[]): Promise<ReadonlyMap<string, string>> {
  const commands = await loadTree(entries)
  const reference = commands.map((command) =>
    [
      `### se ${command.name}`,
      `${capital(command.summary)}.`,
      `\`\`\`text\n${usageLines(command).join('\n')}\n\`\`\``,
      ...command.description.map(escaped),
      ...(command.flags.length === 0 ? [] : [table('flag', command.flags.map(flagRow))]),
      `\`\`\`sh\n${command.examples.map(({ note, command: line }) => `# ${note}\n${line}`).join('\n')}\n\`\`\``,
    ].join('\n\n'),
  )
  const settings = Object.values(SETTINGS).map(
    ({ key, variable, summary }) => `| \`${key}\` | \`${variable}\` | ${summary} |`,
  )
  return new Map([
    ['commands', reference.join('\n\n')],
    ['statuses', table('status', EXIT_STATUSES)],
    ['settings', ['| key in config.toml | variable | |', '| --- | --- | --- |', ...settings, ADDRESS].join('\n')],
  ])
}

/** The row of what is no setting: its key is in a table of the file. */
const ADDRESS =
  '| `addresses` in `[daemon]` | `SE_SOCKET` | where the daemon listens, and is asked; the variable is the first address |'

/** Puts the sections between their markers, `<!-- NAME -->` and `<!-- end of NAME -->`. */
export function withSections(page: string, sections: ReadonlyMap<string, string>): string {
  let text = page
  for (const [name, section] of sections) {
    const [begin, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`]
    const from = text.indexOf(begin)
    const to = text.indexOf(end)
    if (from < 0 || to < from) throw new Error(`docs/cli.md has no place for ${name}`)
    text = `${text.slice(0, from + begin.length)}\n${section}\n${text.slice(to)}`
  }
  return text
}

function flagRow(flag: Parameters<typeof flagSpelling>[0]): readonly [string, string] {
  return [`\`${flagSpelling(flag).trim()}\``, escaped(flagSummary(flag))]
}

function table(title: string, rows: readonly (readonly [string, string])[]): string {
  return [`| ${title} | |`, '| --- | --- |', ...rows.map(([left, right]) => `| ${left} | ${right} |`)].join('\n')
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** Text in which `*`, `<` and `|` stand for themselves, outside of code. */
function escaped(text: string): string {
  return text
    .split(/(`[^`]*`)/)
    .map((part, index) => (index % 2 === 1 ? part : part.replace(/[*<|]/g, '\\$&')))
    .join('')
}
