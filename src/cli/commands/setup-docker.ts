/** `se setup docker`: links this program as the Docker CLI plugin `docker-pass`. */
import type { Command } from '../command.js'

/** Links the plugin. */
export const command: Command = {
  name: 'setup docker',
  summary: 'make this program docker pass',
  usage: ['[--force]'],
  description: [
    'Makes the link docker-pass in $DOCKER_CONFIG/cli-plugins, which is ~/.docker/cli-plugins by default. docker pass is then this ' +
      'program, with the behaviour of Docker’s own; what it keeps are the secrets of se, and in an OS keychain those of ' +
      'Docker’s own, too.',
    'Another program of that name is left alone, unless --force is given.',
  ],
  flags: [{ name: 'force', short: 'f', summary: 'replace another docker-pass' }],
  positionals: [],
  examples: [{ note: 'once', command: 'se setup docker && docker pass ls' }],
  storeless: true,
  async run({ env, flags, stderr }) {
    const [fs, { join }, { homedir }, { createError }] = await Promise.all([
      import('node:fs'),
      import('node:path'),
      import('node:os'),
      import('../../errors/secrets-error.js'),
    ])
    if (process.platform === 'win32') {
      throw createError('SE_UNSUPPORTED', 'Docker on Windows takes no link for a plugin', {
        hint: 'call se by its own name',
      })
    }
    const folder = join(env['DOCKER_CONFIG'] || join(env['HOME'] || homedir(), '.docker'), 'cli-plugins')
    const link = join(folder, 'docker-pass')
    const program = fs.realpathSync(process.argv[1] as string)
    const there = fs.lstatSync(link, { throwIfNoEntry: false })
    const isOurs = there?.isSymbolicLink() === true && /[/\\]cli\.cjs$/.test(fs.readlinkSync(link))
    if (there !== undefined && !isOurs && !flags.has('force')) {
      throw createError('SE_EXISTS', `${link} is another program`, {
        hint: 'replace it: se setup docker --force',
        details: { path: link },
      })
    }
    fs.mkdirSync(folder, { recursive: true })
    const temporary = `${link}.${process.pid}`
    fs.symlinkSync(program, temporary)
    fs.renameSync(temporary, link)
    stderr.write(`${link} leads to ${program}: docker pass is this program.\n`)
    return 0
  },
}
