// Makes man/se.1 from the tables of the commands.
import { mkdirSync, writeFileSync } from 'node:fs'
import { register } from 'tsx/esm/api'

register()
const { COMMANDS } = await import('../src/cli/commands.ts')
const { manPage } = await import('../src/cli/man-page.ts')
const { VERSION } = await import('../src/version.ts')
mkdirSync(new URL('../man/', import.meta.url), { recursive: true })
writeFileSync(new URL('../man/se.1', import.meta.url), await manPage(COMMANDS, VERSION))
