import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { pluginsInFolder } from '../../src/plugin-host/plugin-folder.js'
import { PluginStates } from '../../src/plugin-host/plugin-states.js'
import { TestLog } from '../helpers/plugin-host.js'

function folderOf(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'se-states-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  return folder
}

test('what is remembered of plugins is read back, by others as well', (t) => {
  const file = join(folderOf(t), 'a/plugins.json')
  const states = new PluginStates(file)
  t.deepEqual(states.disabled(), [])
  states.setEnabled('two', false)
  states.setEnabled('one', false)
  states.setEnabled('two', false)
  states.remember('two', { version: 'v1.0.0', pattern: 'a/**', kind: 'secrets' })
  const others = new PluginStates(file)
  t.deepEqual(others.disabled(), ['one', 'two'])
  t.deepEqual(others.known('two'), { version: 'v1.0.0', pattern: 'a/**', kind: 'secrets' })
  t.is(others.known('constructor'), undefined)
  others.setEnabled('one', true)
  others.forget('two')
  t.deepEqual(states.disabled(), [])
  t.is(states.known('two'), undefined)
  t.is(statSync(file).mode & 0o777, 0o600)
  t.deepEqual(readdirSync(join(file, '..')).sort(), ['plugins.json', 'plugins.json.lock'])
})

for (const [title, text] of [
  ['is no JSON', '{'],
  ['is of another shape', '{"disabled":1}'],
] as const) {
  test(`a file that ${title} is an error, and no plugin is enabled by it`, (t) => {
    const file = join(folderOf(t), 'plugins.json')
    writeFileSync(file, text)
    t.throws(() => new PluginStates(file).disabled(), { code: 'SE_INVALID_CONFIG', message: /cannot be understood$/ })
    t.throws(() => new PluginStates(file).setEnabled('a', true), { code: 'SE_INVALID_CONFIG' })
  })
}

test('a file that cannot be written is an error', (t) => {
  const folder = folderOf(t)
  writeFileSync(join(folder, 'file'), '')
  const states = new PluginStates(join(folder, 'file/plugins.json'))
  t.throws(() => states.setEnabled('a', false), {
    code: 'SE_INVALID_CONFIG',
    message: /cannot be (read|written) \(ENOTDIR\)/,
  })
})

test('each program in the plugin folder is a plugin, unless others may write it', (t) => {
  const folder = join(folderOf(t), 'plugins')
  const log = new TestLog()
  t.deepEqual(pluginsInFolder(folder, log), [])
  mkdirSync(folder, { mode: 0o755 })
  const put = (name: string, mode: number): void => {
    writeFileSync(join(folder, name), '#!/bin/sh\n')
    chmodSync(join(folder, name), mode)
  }
  put('two', 0o755)
  put('one', 0o700)
  writeFileSync(join(folder, 'README'), 'How to write one', { mode: 0o644 })
  put('plain', 0o644)
  put('a name', 0o755)
  put('loose', 0o777)
  mkdirSync(join(folder, 'folder'))
  t.deepEqual(
    pluginsInFolder(folder, log).map(({ name, command, protocol }) => ({ name, command, protocol })),
    ['one', 'two'].map((name) => ({ name, command: [join(folder, name)], protocol: 'session' })),
  )
  t.deepEqual(
    log.lines.map(({ facts }) => facts),
    [
      ['a name', 'its name is not one of a plugin'],
      ['loose', 'others may write there'],
      ['plain', 'it cannot be executed'],
    ].map(([name = '', reason]) => ({ path: join(folder, name), reason })),
  )
  chmodSync(folder, 0o777)
  t.deepEqual(pluginsInFolder(folder, log), [])
})
