// Runs the examples of docs/cli.md: blocks of `console`, in order, in one home. `$ ` begins a command line; what follows
// is what it prints, both streams together.
import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { COMMANDS } from '../../src/cli/commands.js'
import { markdownSections, withSections } from '../../src/cli/markdown.js'
import { checkBundle, cli, createHome } from '../helpers/se.js'

test.before(checkBundle)

const page = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')

/** Runs lines of shell in a home where `se` is on the PATH, both streams together. */
function createShell(t: ExecutionContext): (line: string) => SpawnSyncReturns<string> {
  const home = createHome((fn) => t.teardown(fn))
  mkdirSync(join(home.folder, 'bin'))
  const se = join(home.folder, 'bin/se')
  writeFileSync(se, `#!/bin/sh\nexec '${process.execPath}' '${cli}' "$@"\n`)
  chmodSync(se, 0o755)
  const env = { ...home.env, PATH: `${join(home.folder, 'bin')}:${process.env['PATH']}` }
  return (line) =>
    spawnSync('/bin/sh', ['-c', `exec 2>&1\n${line}`], { env, encoding: 'utf8', cwd: join(home.folder, 'work') })
}

test('the examples of docs/cli.md print what they say', (t) => {
  const shell = createShell(t)
  const blocks = [...page.matchAll(/```console\n(.*?)```/gs)].map(([, text = '']) => text)
  t.true(blocks.length >= 4)
  for (const example of blocks.join('').split(/^\$ /m).slice(1)) {
    const [line = ''] = example.split('\n', 1)
    const expected = example.slice(line.length + 1)
    const { stdout } = shell(line)
    if (line.startsWith('se store use')) t.regex(stdout, /^Secrets are kept in /)
    else t.is(stdout.replace(/([^\n])$/, '$1\n'), expected, line)
  }
})

test('the examples of se store export work as they are written', async (t) => {
  const shell = createShell(t)
  for (const line of ['se store use file --key-file', 'echo v | se set ci/token', 'echo v | se set own/token']) {
    t.is(shell(line).status, 0)
  }
  const { examples } = (await import('../../src/cli/commands/store-export.js')).command
  const ownFile = examples.filter(({ command }) => !command.includes('keychain'))
  t.is(ownFile.length, 2)
  for (const { command } of ownFile) {
    const { status, stdout } = shell(command)
    t.is(status, 0, stdout)
  }
  t.is(shell('se ls').stdout, 'ci/token\nown/token\n')
  t.is(shell('SE_CONFIG=ci.toml se ls').stdout, 'ci/token\n')
})

test('the examples of se env set what they name, and fail where se env fails', async (t) => {
  const shell = createShell(t)
  t.is(shell('se store use file --key-file').status, 0)
  const { examples } = (await import('../../src/cli/commands/env.js')).command
  const evaluated = examples.filter(({ command }) => command.includes('eval'))
  t.is(evaluated.length, 2)
  shell("echo 'A=se://github/token' >.env")
  const print = `printf '%s' "$A$GH_TOKEN"`
  for (const { command } of evaluated)
    t.regex(shell(`set -e\n${command}\necho went on`).stdout, /^se: [^\n]*\n(hint: [^\n]*\n)?$/)
  shell('echo t0ken | se set github/token')
  for (const { command } of evaluated) t.is(shell(`set -e\n${command}\n${print}`).stdout, 't0ken')
})

test('the reference in docs/cli.md is made from the tables', async (t) => {
  t.is(withSections(page, await markdownSections(COMMANDS)), page)
})
