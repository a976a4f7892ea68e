// Runs every example of docs/library.md as a program of its own, on the built package, and compares what it prints.
import { execFile } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'
import { transform } from 'esbuild'
import { openStore } from '../../src/index.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const page = readFileSync(join(root, 'docs/library.md'), 'utf8')
const blocks = [...page.matchAll(/^```(js|ts)\n(.*?)^```$(?:\n^```output\n(.*?)^```$)?/gms)]

const folder = mkdtempSync(join(tmpdir(), 'se-library-'))
const path = join(folder, 'store.age')
test.before(async () => {
  const store = await openStore({ kind: 'file', path, create: true })
  await store.setMany([
    { id: 'postgres/prod/user', value: 'app' },
    { id: 'postgres/prod/password', value: 'pa55word' },
    { id: 'github/token', value: 't0ken' },
  ])
  mkdirSync(join(folder, 'node_modules'))
  symlinkSync(root, join(folder, 'node_modules/se-native'))
})
test.after.always(() => rmSync(folder, { recursive: true }))

test('the page has examples, and the package is built', (t) => {
  t.true(blocks.length >= 9)
  t.true(existsSync(join(root, 'dist/index.js')), 'npm run build:ts')
})

for (const [index, [, language, source, output = '']] of blocks.entries()) {
  test(`example ${index + 1} prints what the page says, and again`, async (t) => {
    const { code } = await transform(source as string, { loader: language as 'js' | 'ts', target: 'node20' })
    const program = join(folder, `example-${index + 1}.mjs`)
    writeFileSync(program, code)
    const environment = { ...process.env, SE_STORE: 'file', SE_STORE_PATH: path, HOME: folder, XDG_CONFIG_HOME: folder }
    for (const round of ['first', 'second']) {
      const { stdout, stderr } = await promisify(execFile)(process.execPath, [program], {
        cwd: folder,
        env: environment,
      })
      t.is(stderr, '', round)
      t.is(stdout.trimEnd(), output.trimEnd(), round)
    }
  })
}
