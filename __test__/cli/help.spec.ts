import { readFileSync } from 'node:fs'
import test from 'ava'
import { COMMANDS } from '../../src/cli/commands.js'
import { EXIT_STATUSES } from '../../src/cli/exit-statuses.js'
import { commandHelp, overview, usageLines } from '../../src/cli/help.js'
import { loadTree, manPage } from '../../src/cli/man-page.js'
import { VERSION } from '../../src/version.js'

test('no line of any help is longer than 100 columns', async (t) => {
  for (const text of [overview(COMMANDS), ...(await loadTree(COMMANDS)).map(commandHelp)]) {
    for (const line of text.split('\n')) t.true(line.length <= 100, line)
  }
})

test('a paragraph is whole, and every ellipsis is one sign', async (t) => {
  for (const command of await loadTree(COMMANDS)) {
    for (const paragraph of command.description) t.regex(paragraph, /[.]$/, command.name)
    t.notRegex(commandHelp(command), /\.\.\./, command.name)
  }
})

test('the overview names every exit status', (t) => {
  for (const [status] of EXIT_STATUSES) t.regex(overview(COMMANDS), new RegExp(`\\b${status} `))
})

test('each command has the name and summary of its entry, a usage line and an example', async (t) => {
  const check = async (entries: typeof COMMANDS, parent: string): Promise<void> => {
    for (const entry of entries) {
      const command = await entry.load()
      t.is(command.name, `${parent}${entry.name}`)
      t.is(command.summary, entry.summary)
      t.true(command.usage.length > 0 && command.examples.length > 0, command.name)
      await check(command.commands ?? [], `${command.name} `)
    }
  }
  await check(COMMANDS, '')
})

test('every flag and argument of a usage line is in the tables, and every flag is in the help', async (t) => {
  for (const command of await loadTree(COMMANDS)) {
    const help = commandHelp(command)
    for (const flag of command.flags) t.true(help.includes(`--${flag.name}`), `${command.name} ${flag.name}`)
    for (const word of usageLines(command)
      .join(' ')
      .match(/--[a-z][a-z-]*/g) ?? []) {
      t.true(
        command.flags.some(({ name }) => `--${name}` === word),
        `${command.name} ${word}`,
      )
    }
  }
})

test('flags that exclude or need others name flags of the same command', async (t) => {
  for (const { name, flags } of await loadTree(COMMANDS)) {
    const names = flags.map((flag) => flag.name)
    t.is(new Set(names).size, names.length, name)
    const shorts = flags.flatMap(({ short }) => short ?? [])
    t.is(new Set(shorts).size, shorts.length, name)
    for (const { excludes = [], needs = [] } of flags) {
      for (const other of [...excludes, ...needs]) t.true(names.includes(other), `${name} ${other}`)
    }
  }
})

test('the man page is what its generator makes', async (t) => {
  const committed = readFileSync(new URL('../../man/se.1', import.meta.url), 'utf8')
  t.is(await manPage(COMMANDS, VERSION), committed)
})

test('the version is that of package.json', (t) => {
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'))
  t.is(VERSION, version)
})
