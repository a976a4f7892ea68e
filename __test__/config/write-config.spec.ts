import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import fc from 'fast-check'
import { parseFile } from '../../src/config/config.js'
import { withoutTable, withTable } from '../../src/config/plugin-table.js'
import { addPluginTable, changedText, removePluginTable, writeConfig } from '../../src/config/write-config.js'

for (const [title, before, after] of [
  ['a file that is not there yet', '', 'store = "file"\n'],
  ['another value', 'store = "keychain"\n', 'store = "file"\n'],
  ['another value with a comment', "# mine\nstore = 'keychain'   # at work\n", '# mine\nstore = "file"   # at work\n'],
  ['other keys', 'timeout_ms = 5\n# last', 'timeout_ms = 5\n# last\nstore = "file"\n'],
  ['Windows line ends', 'timeout_ms = 5\r\nstore="keychain"\r\n', 'timeout_ms = 5\r\nstore = "file"\r\n'],
  ['a quoted key', '"store" = "keychain"\n', 'store = "file"\n'],
] as const) {
  test(`a choice is written into ${title}`, async (t) => {
    t.is(await changedText(before, { store: 'file' }, 'config.toml'), after)
  })
}

test('a key is removed with its line only', async (t) => {
  const before = 'store = "file"\nstore_path = "/x"\ntimeout_ms = 5\n'
  t.is(await changedText(before, { storePath: undefined }, 'c'), 'store = "file"\ntimeout_ms = 5\n')
})

test('a path with quotes and backslashes is written so that it reads back', async (t) => {
  const path = 'C:\\Users\\"ada"\\s.age'
  const text = await changedText('', { storePath: path }, 'c')
  t.is((await parseFile(text, 'c')).settings.get('storePath'), path)
})

test('a key written over several lines is left alone, with the lines to write as the hint', async (t) => {
  const error = await t.throwsAsync(changedText('store = """\nkeychain"""\n', { store: 'file' }, '/c.toml'))
  t.like(error, { code: 'SE_INVALID_CONFIG', hint: 'write these lines yourself: store = "file"' })
})

test('a file that cannot be understood is left alone', async (t) => {
  await t.throwsAsync(changedText('stroe = 1', { store: 'file' }, 'c'), { message: /unknown key stroe/ })
})

test('writing makes the folder, replaces the file whole, and leaves nothing beside it', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'se-write-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'a/b/config.toml')
  await writeConfig(file, { store: 'file', storePath: '/x' })
  await writeConfig(file, { store: 'keychain', storePath: undefined })
  t.is(readFileSync(file, 'utf8'), 'store = "keychain"\n')
  t.deepEqual(readdirSync(join(folder, 'a/b')), ['config.toml'])
})

test('a symbolic link stays one', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'se-write-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  mkdirSync(join(folder, 'dotfiles'))
  writeFileSync(join(folder, 'dotfiles/real.toml'), '# dots\n')
  symlinkSync('dotfiles/real.toml', join(folder, 'config.toml'))
  await writeConfig(join(folder, 'config.toml'), { store: 'file' })
  t.true(lstatSync(join(folder, 'config.toml')).isSymbolicLink())
  t.is(readFileSync(join(folder, 'dotfiles/real.toml'), 'utf8'), '# dots\nstore = "file"\n')
})

test('a symbolic link that leads to nothing yet stays one, and the file is made where it points to', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'se-write-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  symlinkSync('second.toml', join(folder, 'config.toml'))
  symlinkSync('dotfiles/none.toml', join(folder, 'second.toml'))
  await writeConfig(join(folder, 'config.toml'), { store: 'file' })
  t.is(readFileSync(join(folder, 'dotfiles/none.toml'), 'utf8'), 'store = "file"\n')
  for (const link of ['config.toml', 'second.toml']) t.true(lstatSync(join(folder, link)).isSymbolicLink())
})

test('whatever the file holds, a written choice is read back and the other settings stay, or nothing is written', async (t) => {
  const comment = fc.constantFrom('', ' # store = "keychain"', '#')
  const line = fc.oneof(
    fc.constantFrom('# store = "file"', '', 'store = "keychain"', "store = 'file'", 'store = """\nfile"""'),
    fc
      .tuple(fc.constantFrom('identity = "/i#"', "store_path = '/s'", 'timeout_ms = 7'), comment)
      .map((p) => p.join('')),
  )
  await fc.assert(
    fc.asyncProperty(fc.uniqueArray(line, { maxLength: 5 }), async (lines) => {
      const before = lines.join('\n')
      const settings = (await parseFile(before, 'c').catch(() => undefined))?.settings
      const after = await changedText(before, { store: 'file' }, 'c').catch(() => undefined)
      if (after === undefined) return
      t.deepEqual((await parseFile(after, 'c')).settings, new Map([...(settings ?? []), ['store', 'file']]))
    }),
    { numRuns: 200 },
  )
})

const tables = `# the store
store = "file"

[plugins.vault] # ours
command = ["/bin/vault", "-x"]

[plugins.vault.env]
ADDR = '''
[daemon]
'''

# idle
[daemon]
idle_exit_seconds = 60
`

test('a choice is written before the tables, which stay as they are', async (t) => {
  t.is(await changedText(tables, { store: 'keychain' }, 'c'), tables.replace('"file"', '"keychain"'))
  t.is(
    await changedText(tables, { storePath: '/s' }, 'c'),
    tables.replace('"file"\n\n', '"file"\n\nstore_path = "/s"\n'),
  )
})

for (const [title, before, added] of [
  ['a file that is not there yet', '', '[plugins.two]\ncommand = ["/bin/two", "a\\"b"]\npattern = "two/**"\n'],
  ['a file with tables', tables, '\n[plugins.two]\ncommand = ["/bin/two", "a\\"b"]\npattern = "two/**"\n'],
  ['a file without a last line end', '# x', '\n\n[plugins.two]\ncommand = ["/bin/two", "a\\"b"]\npattern = "two/**"\n'],
] as const) {
  test(`a plugin is added to ${title}, and removing it leaves what was there`, async (t) => {
    const after = await withTable(before, 'two', { command: ['/bin/two', 'a"b'], pattern: 'two/**' }, 'c')
    t.is(after, before + added)
    t.is(await withoutTable(after, 'two', 'c'), before === '# x' ? '# x\n' : before)
  })
}

test('the empty line above a removed plugin goes, unless what stands below would lose its own', async (t) => {
  const [a = '', b = '', c = ''] = ['a', 'b', 'c'].map((name) => `[plugins.${name}]\ncommand = "/x"\n`)
  t.is(await withoutTable(`${a}\n${b}\n${c}`, 'b', 'c'), `${a}\n${c}`)
  t.is(await withoutTable(`${a}\n${b}${c}`, 'b', 'c'), `${a}\n${c}`)
  t.is(await withoutTable(`${a}\n${b}# c\n${c}`, 'b', 'c'), `${a}\n# c\n${c}`)
  t.is(await withoutTable(`${a}\n${b}`, 'a', 'c'), b)
})

test('a plugin whose name has dots is written in quotes', async (t) => {
  const after = await withTable('', 'a.b', { command: ['/x'], protocol: 'lines' }, 'c')
  t.is(after, '[plugins."a.b"]\ncommand = ["/x"]\nprotocol = "lines"\n')
  t.is(await withoutTable(after, 'a.b', 'c'), '')
})

test('a plugin is removed with the tables below it, and comments of the next table stay', async (t) => {
  t.is(
    await withoutTable(tables.replaceAll("'''", "'").replace("'\n[daemon]\n'", "'d'"), 'vault', 'c'),
    '# the store\nstore = "file"\n\n# idle\n[daemon]\nidle_exit_seconds = 60\n',
  )
})

test('a plugin that is written in an unusual way is left alone', async (t) => {
  t.like(await t.throwsAsync(withoutTable(tables, 'vault', '/c.toml')), {
    code: 'SE_INVALID_CONFIG',
    hint: 'change it yourself: remove [plugins.vault]',
  })
  const inline = 'plugins = { a = { command = "/a" } }\n'
  t.like(await t.throwsAsync(withTable(inline, 'b', { command: ['/b'] }, 'c')), { code: 'SE_INVALID_CONFIG' })
  t.like(await t.throwsAsync(withoutTable(inline, 'a', 'c')), { code: 'SE_INVALID_CONFIG' })
})

test('a plugin that is there already is not added, and one that is not there not removed', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'se-write-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'config.toml')
  await addPluginTable(file, 'vault', { command: ['/x'] })
  t.like(await t.throwsAsync(addPluginTable(file, 'vault', { command: ['/y'] })), { code: 'SE_EXISTS' })
  t.like(await t.throwsAsync(removePluginTable(file, 'vaul')), { code: 'SE_NO_PLUGIN' })
  t.like(await t.throwsAsync(removePluginTable(file, 'vaultt')), { hint: 'did you mean vault?' })
  await removePluginTable(file, 'vault')
  t.is(readFileSync(file, 'utf8'), '')
})

if (process.platform !== 'win32') {
  test('a plugin is not added to a file that others can write, which would run nothing any more', async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'se-config-'))
    t.teardown(() => rmSync(folder, { recursive: true }))
    const file = join(folder, 'config.toml')
    writeFileSync(file, 'store = "file"\n')
    chmodSync(file, 0o664)
    await t.throwsAsync(addPluginTable(file, 'vault', { command: ['/x'] }), { code: 'SE_LAX_MODE' })
    t.is(readFileSync(file, 'utf8'), 'store = "file"\n')
    chmodSync(file, 0o644)
    await addPluginTable(file, 'vault', { command: ['/x'] })
    t.regex(readFileSync(file, 'utf8'), /\[plugins\.vault\]/)
  })
}

test('whatever a file holds, a plugin is added or removed and all else stays, or nothing is written', async (t) => {
  const line = fc.constantFrom(
    '# c',
    '',
    'store = "file"',
    '[plugins]',
    '[plugins.a]',
    '[plugins.b]',
    '[plugins.b.env]',
    '["plugins".b] # x',
    '[daemon]',
    'command = "/x"',
    'command = [',
    '"a", [1]',
    ']',
    "command = '''",
    "'''",
    '[[plugins.b]]',
    'plugins.b.command = "/x"',
  )
  await fc.assert(
    fc.asyncProperty(fc.array(line, { maxLength: 8 }), async (lines) => {
      const before = lines.join('\n')
      const parsed = await parseFile(before, 'c').catch(() => undefined)
      const json = (file: unknown) => JSON.parse(JSON.stringify(file))
      const added = await withTable(before, 'n', { command: ['/n'] }, 'c').catch(() => undefined)
      if (added !== undefined) {
        const { plugins, ...others } = json(await parseFile(added, 'c'))
        const { plugins: old = {}, ...same } = json(parsed)
        t.deepEqual(plugins, { ...old, n: { command: ['/n'] } })
        t.deepEqual(others, same)
      }
      const removed = await withoutTable(before, 'b', 'c').catch(() => undefined)
      if (removed === undefined) return
      const { plugins = {}, ...others } = json(await parseFile(removed, 'c'))
      const { plugins: old, ...same } = json(parsed)
      delete old.b
      t.deepEqual(plugins, old)
      t.deepEqual(others, same)
    }),
    { numRuns: 500 },
  )
})
