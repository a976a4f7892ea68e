// Makes man/se.1 and the reference in docs/cli.md from the tables of the commands.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { register } from 'tsx/esm/api'

register()
const { COMMANDS } = await import('../src/cli/commands.ts')
const { manPage } = await import('../src/cli/man-page.ts')
const { markdownSections, withSections } = await import('../src/cli/markdown.ts')
const { VERSION } = await import('../src/version.ts')

mkdirSync(new URL('../man/', import.meta.url), { recursive: true })
writeFileSync(new URL('../man/se.1', import.meta.url), await manPage(COMMANDS, VERSION))
const page = new URL('../docs/cli.md', import.meta.url)
writeFileSync(page, withSections(readFileSync(page, 'utf8'), await markdownSections(COMMANDS)))
