// Runs the examples of docs/cli.md: blocks of `console`, in order, in one home. `$ ` begins a command line; what follows
// is what it prints, both streams together.
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { COMMANDS } from '../../src/cli/commands.js'
import { markdownSections, withSections } from '../../src/cli/markdown.js'
import { checkBundle, cli, createHome } from '../helpers/se.js'

test.before(checkBundle)

const page = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8')

test('the examples of docs/cli.md print what they say', (t) => {
  const home = createHome((fn) => t.teardown(fn))
  mkdirSync(join(home.folder, 'bin'))
  const se = join(home.folder, 'bin/se')
  writeFileSync(se, `#!/bin/sh\nexec '${process.execPath}' '${cli}' "$@"\n`)
  chmodSync(se, 0o755)
  const env = { ...home.env, PATH: `${join(home.folder, 'bin')}:${process.env['PATH']}` }
  const blocks = [...page.matchAll(/```console\n(.*?)```/gs)].map(([, text = '']) => text)
  t.true(blocks.length >= 4)
  for (const example of blocks.join('').split(/^\$ /m).slice(1)) {
    const [line = ''] = example.split('\n', 1)
    const expected = example.slice(line.length + 1)
    const { stdout } = spawnSync('/bin/sh', ['-c', `exec 2>&1\n${line}`], { env, encoding: 'utf8', cwd: home.folder })
    if (line.startsWith('se store use')) t.regex(stdout, /^Secrets are kept in /)
    else t.is(stdout.replace(/([^\n])$/, '$1\n'), expected, line)
  }
})

test('the reference in docs/cli.md is made from the tables', async (t) => {
  t.is(withSections(page, await markdownSections(COMMANDS)), page)
})
