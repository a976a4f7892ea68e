import {
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
import { changedText, writeConfig } from '../../src/config/write-config.js'

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
  t.is((await parseFile(text, 'c')).get('storePath'), path)
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
      const settings = await parseFile(before, 'c').catch(() => undefined)
      const after = await changedText(before, { store: 'file' }, 'c').catch(() => undefined)
      if (after === undefined) return
      t.deepEqual(await parseFile(after, 'c'), new Map([...(settings ?? []), ['store', 'file']]))
    }),
    { numRuns: 200 },
  )
})
