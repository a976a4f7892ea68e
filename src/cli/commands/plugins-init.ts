/** `se plugins init`: writes a plugin that works. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { LANGUAGES } from '../../plugin-kit/templates.js'
import type { Command } from '../command.js'
import { UsageError } from '../usage-error.js'

/** Writes a plugin. */
export const command: Command = {
  name: 'plugins init',
  summary: 'write a plugin that works, to begin with',
  usage: ['NAME [--lang ts|go|sh]'],
  description: [
    'Makes a folder NAME here, with a plugin that has one secret, NAME/hello, and a test of it; then says what to type next. ' +
      'In TypeScript it is built on this package, in Go on Docker’s module, in shell on nothing.',
  ],
  flags: [{ name: 'lang', value: 'LANG', choices: LANGUAGES, summary: 'the language: ts (by default), go or sh' }],
  positionals: [{ name: 'NAME' }],
  examples: [
    { note: 'in TypeScript', command: 'se plugins init vault' },
    { note: 'in shell', command: 'se plugins init vault --lang sh' },
  ],
  storeless: true,
  async run({ flags, positionals, stdout, stderr }) {
    const [name = ''] = positionals
    const [{ isPluginName }, { pluginTemplate }, { printHint }] = await Promise.all([
      import('../../config/tables.js'),
      import('../../plugin-kit/templates.js'),
      import('../report.js'),
    ])
    if (!isPluginName(name) || /^\.+$/.test(name)) {
      throw new UsageError('NAME is letters, digits, dots, underscores and hyphens')
    }
    const language = LANGUAGES.find((one) => one === flags.value('lang')) ?? 'ts'
    const { files, next } = pluginTemplate(name, language)
    await makeFolder(name)
    for (const { name: file, text, executable } of files) {
      writeFileSync(join(name, file), text, { mode: executable === true ? 0o755 : 0o644 })
      stdout.write(`${join(name, file)}\n`)
    }
    for (const line of [`cd ${name}`, ...next]) printHint(stderr, line)
    return 0
  },
}

async function makeFolder(name: string): Promise<void> {
  try {
    mkdirSync(name)
  } catch (error) {
    const { createError } = await import('../../errors/secrets-error.js')
    const { code = 'unknown reason' } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') throw createError('SE_EXISTS', `${name} is there already`, { hint: 'choose another name' })
    throw createError('SE_OUTPUT_FAILURE', `the folder ${name} cannot be made (${code})`, { cause: error })
  }
}
