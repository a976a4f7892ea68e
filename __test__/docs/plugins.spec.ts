// Runs the examples of docs/plugins.md: blocks of `console`, in order, in one home. The programs on the page are those that
// `se plugins init` writes, which cli/plugins-init.spec.ts builds and runs.
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { readConfig } from '../../src/config/config.js'
import { pluginTemplate } from '../../src/plugin-kit/templates.js'
import { checkBundle, cli, createFileHome } from '../helpers/se.js'

const page = readFileSync(new URL('../../docs/plugins.md', import.meta.url), 'utf8')
const blocks = (language: string): string[] =>
  [...page.matchAll(/^```(\w+)\n(.*?)^```$/gms)].filter(([, name]) => name === language).map(([, , text = '']) => text)

test.before(checkBundle)

test('the examples of docs/plugins.md print what they say', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  mkdirSync(join(home.folder, 'bin'))
  writeFileSync(join(home.folder, 'bin/se'), `#!/bin/sh\nexec '${process.execPath}' '${cli}' "$@"\n`)
  chmodSync(join(home.folder, 'bin/se'), 0o755)
  const env = { ...home.env, PATH: `${join(home.folder, 'bin')}:${process.env['PATH']}` }
  const examples = blocks('console').join('').split(/^\$ /m).slice(1)
  t.true(examples.length >= 9)
  for (const example of examples) {
    const [line = ''] = example.split('\n', 1)
    const { stdout } = spawnSync('/bin/sh', ['-c', `exec 2>&1\n${line}`], {
      env,
      encoding: 'utf8',
      cwd: join(home.folder, 'work'),
    })
    const shown = stdout.replace(/([^\n])$/, '$1\n').replaceAll(join(home.folder, 'config'), '~/.config')
    t.is(shown, example.slice(line.length + 1), line)
  }
})

test('the programs on the page are those that se plugins init writes', (t) => {
  const file = (name: string, language: 'ts' | 'go', wanted: string): string =>
    pluginTemplate(name, language).files.find((one) => one.name === wanted)?.text ?? ''
  const [plugin, check] = blocks('ts')
  t.is(plugin, file('clock', 'ts', 'plugin.ts'))
  t.is(check, file('clock', 'ts', 'plugin.test.ts'))
  const [go = ''] = blocks('go')
  t.true(file('hello', 'go', 'main.go').includes(go))
  const steps = blocks('sh').map((text) => text.trim().split('\n'))
  t.deepEqual(steps, [[...pluginTemplate('clock', 'ts').next], [...pluginTemplate('hello', 'go').next]])
})

test('the configuration on the page is understood', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  const file = join(home.folder, 'page.toml')
  writeFileSync(file, blocks('toml')[0] ?? '')
  const { plugins, daemon } = await readConfig({ ...home.env, SE_CONFIG: file })
  t.is(plugins[0]?.timeoutMs, 5000)
  t.deepEqual(daemon.priority, ['vault'])
})
