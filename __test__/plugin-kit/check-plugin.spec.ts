import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { build } from 'esbuild'
import { checkPlugin } from '../../src/testing/index.js'
import { Canary } from '../helpers/canary.js'

const canary = Canary.random()
const folder = mkdtempSync(join(tmpdir(), 'se-kit-'))
// In one file it starts in time on any machine.
const fixture = join(folder, 'plugin.mjs')
test.before(async () => {
  await build({
    entryPoints: [fileURLToPath(new URL('../fixtures/launched-plugin.ts', import.meta.url))],
    outfile: fixture,
    bundle: true,
    platform: 'node',
    format: 'esm',
    external: ['*.node'],
  })
})
test.after.always(() => rmSync(folder, { recursive: true }))

/** Checks the fixture in this mode, and answers with what failed. */
async function failures(mode: string): Promise<string[]> {
  const command = [process.execPath, fixture, mode, canary.text] as const
  const seen: string[] = []
  const report = await checkPlugin({ command, ids: ['a/b'], name: 'test' }, ({ title }) => seen.push(title))
  const failed = report.results.filter(({ status }) => status === 'failed')
  if (report.ok !== (failed.length === 0) || seen.length !== report.results.length) throw new Error('a wrong report')
  const text = failed.map(({ title, reason }) => `${title}: ${reason}`)
  if (canary.foundIn(text.join()) !== undefined) throw new Error('a value was shown')
  return text
}

for (const [mode, title, expected] of [
  ['good', 'keeps the rules passes', []],
  ['name', 'registers under another name fails', [/^it registers within 5 s.*must not register as other/s]],
  ['version', 'has a version that is none fails', [/^it registers within 5 s.*version/s]],
  ['pattern', 'has a pattern that is none fails', [/^it registers within 5 s/]],
  [
    'twice',
    'answers twice with an id fails',
    [
      /^asked for a\/b, it answers with one .*: it answered with 2 secrets: a\/b, a\/b$/,
      /with each id once: it answered twice with a\/b$/,
    ],
  ],
  [
    'outside',
    'answers outside of its pattern fails',
    [/^asked for \*\*, .*: 1 of its answers are outside of a\/\*\*$/],
  ],
  [
    'any',
    'answers whatever is asked fails',
    [/^asked for an id that it does not have, .*: it answered with 1 secrets$/],
  ],
  ['lax', 'takes for a pattern what is none fails', [/^asked for what is no pattern, .*: it answered with secrets$/]],
  [
    'changes',
    'gives another value each time fails',
    [
      /^asked for a\/b again, .*: it gave another value, or several$/,
      /^asked for a\/b 16 times at once, .*: 16 of the answers were wrong$/,
    ],
  ],
  ['talks', 'writes values to its output fails', [/^it writes no value .*: the value of a\/b is there$/]],
  ['stays', 'ignores that it is to end fails', [/^asked to shut down, .*: it still runs$/]],
  ['status', 'ends with a status fails', [/^asked to shut down, .*: it ended with status 5$/]],
] as const) {
  test.serial(`a plugin that ${title}`, async (t) => {
    const found = await failures(mode)
    t.is(found.length, expected.length, found.join('\n'))
    for (const [index, pattern] of expected.entries()) t.regex(found[index] ?? '', pattern)
  })
}

test.serial('a plugin that says that it is not well, or crashes, fails', async (t) => {
  t.regex((await failures('unhealthy')).join('\n'), /^it says that it is well: .*it answered 503/)
  t.regex((await failures('crashes')).join('\n'), /SE_PLUGIN_UNAVAILABLE/)
})

const script = (text: string) => ['sh', '-c', text] as const

for (const [title, text, expected] of [
  [
    'prints the same whatever is asked',
    `echo '{"id":"a/b","value":"v"}'`,
    /^asked for an id that it does not have, .*: it printed 1 secrets/,
  ],
  ['prints what is no answer', 'cat', /line 1 of what its program printed is not an answer \(SE_PLUGIN_FAILURE\)/],
  ['ends with a status', 'exit 3', /its program ended with status 3 \(SE_PLUGIN_FAILURE\)/],
] as const) {
  test(`a program that ${title} fails`, async (t) => {
    const { ok, results } = await checkPlugin({ command: script(text), protocol: 'lines', ids: ['a/b'] })
    t.false(ok)
    t.regex(results.map(({ title: check, reason }) => `${check}: ${reason}`).join('\n'), expected)
  })
}

test('a program that writes its values to standard error fails, and the values are not shown', async (t) => {
  const line = `'{"id":"a/b","value":"${canary.text}"}'`
  const text = `grep -q 'a/b\\|\\*' || exit 0; echo ${line}; echo ${line} >&2`
  const { results } = await checkPlugin({ command: script(text), protocol: 'lines', ids: ['a/b'] })
  t.deepEqual(
    results.filter(({ status }) => status === 'failed').map(({ reason }) => reason),
    ['the value of a/b is there'],
  )
  t.is(canary.foundIn(JSON.stringify(results)), undefined)
})

test('an id that is none is refused before anything is started', async (t) => {
  await t.throwsAsync(checkPlugin({ command: ['/nowhere'], ids: ['a*'] }), { code: 'SE_INVALID_ID' })
})

test('without ids, what cannot be asked is skipped', async (t) => {
  const { ok, results } = await checkPlugin({ command: script('true'), protocol: 'lines' })
  t.true(ok)
  t.true(results.some(({ status, reason }) => status === 'skipped' && reason === 'no id was named that it has'))
})
