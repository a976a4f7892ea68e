// Types every line of the table in README.md and docs/delivery.md, the other examples of that page, and those of docs/comparison.md.
import { statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import anyTest, { type TestFn } from 'ava'
import { blocksOf, createShop, readPage, type Shop } from '../helpers/examples.js'
import { checkBundle } from '../helpers/se.js'
import { programOnTerminal } from '../helpers/terminal.js'

const test = (process.platform === 'linux' ? anyTest : anyTest.skip) as TestFn

const page = readPage('docs/delivery.md')
const tableOf = (text: string): string => /<!-- delivery -->\n(.*?)<!-- end of delivery -->/s.exec(text)?.[1] ?? ''
/** What a row of a table of Markdown has in its columns. */
const columns = (row: string): string[] =>
  row
    .split(/(?<!\\)\|/)
    .slice(1, -1)
    .map((cell) => cell.trim().replaceAll('\\|', '|'))
const codeOf = (cell: string): string[] => [...cell.matchAll(/`([^`]+)`/g)].map(([, code = '']) => code)
const [, , ...rows] = tableOf(page).trim().split('\n').map(columns)
const lines = rows.map(([, line = '']) => codeOf(line)[0] ?? '')

const publicKey = /^-----BEGIN PUBLIC KEY-----\n[^-]*-----END PUBLIC KEY-----\n$/
const masked = 'app [se://postgres/prod/password]\n'
/** What a line must show, by what it is known by. Without `shown` it is a statement of JavaScript, or looked at by itself. */
const expected: readonly (readonly [has: string, shown: string | RegExp])[] = [
  ['DB_PASSWORD=se://postgres/prod/password se run -- node', 'undefined s3cret\n'],
  ['se run -f .env -- node', 'app s3cret\n'],
  ['--env-from', 'undefined s3cret\n'],
  ['DB_PASSWORD_FILE=', '6\n'],
  ['--file KEY=se://tls/key --', publicKey],
  ['--file KEY=se://tls/key,path=', publicKey],
  ['--mask=always', masked],
  ['se redact', 'undefined [se://postgres/prod/password]\n'],
  ['docker build', 'docker build --secret id=token,env=TOKEN . with t0ken\n'],
  ['docker compose', 'docker compose up with s3cret\n'],
  ['.writeTo(process.stdout)', 't0ken'],
  ['.text())', 't0ken\n'],
]

let shop: Shop
const removed: (() => void)[] = []
test.before(async () => {
  checkBundle()
  shop = await createShop((fn) => removed.push(fn))
})
test.after.always(() => {
  for (const remove of removed) remove()
})

const inMemory = (line: string): string => line.replaceAll('/dev/shm/', `${shop.memory}/`)

test('the table of the README is that of docs/delivery.md', (t) => {
  t.is(tableOf(readPage('README.md')).replaceAll('(docs/', '('), tableOf(page))
  t.true(rows.length >= 15)
  t.true(rows.every((row) => row.length === 4))
})

for (const line of lines) {
  test(`works as printed: ${line}`, async (t) => {
    if (line.startsWith('eval ')) {
      const { stdout } = await shop.type(`${line}\nnode server.js`)
      return t.is(stdout, 'app s3cret\n')
    }
    if (line.includes('--output')) {
      const { status, stdout } = await shop.type(line)
      t.deepEqual([status, stdout], [0, ''])
      const { mode, size } = statSync(join(shop.work, 'tls.key'))
      t.is(mode & 0o777, 0o600)
      return t.true(size > 100)
    }
    if (line.includes('--mask ')) {
      const { screen, status } = await programOnTerminal(shop.home, ['sh', '-c', line]).ends()
      return t.deepEqual([screen, status], [masked.replace('\n', '\r\n'), 0])
    }
    const cases = expected.filter(([has]) => line.includes(has))
    t.is(cases.length, 1, 'what the line must show')
    const [[, shown] = ['', '']] = cases
    const isModule = /^(await|console)/.test(line)
    const { stdout, stderr, status } = isModule ? await run(line) : await shop.type(inMemory(line))
    t.is(status, 0, stderr)
    if (typeof shown === 'string') t.is(stdout, shown)
    else t.regex(stdout, shown)
  })
}

let programs = 0
function run(statements: string): ReturnType<Shop['type']> {
  programs++
  const file = `${programs}.mjs`
  writeFileSync(join(shop.work, file), `import { resolve } from 'se-native'\n${statements}\n`)
  return shop.type(`node ${file}`)
}

test('the examples below the table are its lines, and the others work', async (t) => {
  const others = ['sh', 'js'].flatMap((language) => blocksOf(page, language))
  const unknown = others.flatMap((text) => text.trim().split('\n')).filter((line) => !lines.includes(line))
  t.deepEqual(unknown, ["await resolve('se://github/token').use((bytes) => console.log(bytes.length))"])
  const { stdout } = await run(unknown[0] ?? '')
  t.is(stdout, '5\n')
})

test('every way has its four facts', (t) => {
  const ways = page.split(/^## /m).slice(3)
  t.is(ways.length, 9)
  for (const way of ways) {
    const [, ...facts] = [...way.matchAll(/^\| ([a-z ]+) \|/gm)].map(([, fact]) => fact)
    t.deepEqual(['who can read it', ...facts], ['who can read it', 'how long', 'traces', 'limits'], way.split('\n')[0])
  }
})

test('what docs/comparison.md says to type is understood', async (t) => {
  const comparison = readPage('docs/comparison.md')
  const here = comparison
    .split('\n')
    .filter((row) => row.startsWith('| `'))
    .flatMap((row) => codeOf(columns(row)[1] ?? ''))
  const runs = here.filter((code) => /\bse run .*--/.test(code) && / -- /.test(code))
  t.true(runs.length >= 10)
  writeFileSync(join(shop.work, '.env.local'), 'DB_USER=me\n')
  shop.program('cmd', 'exit 9')
  for (const code of runs) {
    const { stdout, stderr, status } = await shop.type(code.replace('se run ', 'se run --dry-run '))
    t.is(status, 0, `${code}: ${stderr}`)
    t.regex(stdout, / -f |se:\/\//.test(code) ? /=se:\/\// : /^$/, code)
  }
  const gets = here.filter((code) => /^se (get|set) /.test(code))
  t.deepEqual(gets, [
    'se get item/field --reveal',
    'se get item/key --output key',
    'se set shop/key',
    'se get shop/key --reveal',
  ])
})
