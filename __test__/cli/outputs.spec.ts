// What a command does when its outputs cannot be written: a reader that has gone, a disk that is full.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, openSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { hasProgram } from '../helpers/programs.js'
import { checkBundle, cli, createHome, type Ended, type Home } from '../helpers/se.js'

const linux = process.platform === 'linux' ? test : test.skip
const traced = hasProgram('strace') ? test : test.skip

test.before(checkBundle)

async function homeWith(t: ExecutionContext, ...ids: string[]): Promise<Home> {
  const home = createHome((fn) => t.teardown(fn))
  await home.ok(['store', 'use', 'file', '--key-file'])
  for (const id of ids) await home.ok(['set', id], { stdin: 'hunter2' })
  return home
}

/** Runs `se` with outputs whose reader has gone, or on a file. */
async function withOutputs(
  home: Home,
  args: readonly string[],
  outputs: { stdout?: 'gone' | number; stderr?: 'gone' },
): Promise<Omit<Ended, 'stdout'>> {
  const stdout = typeof outputs.stdout === 'number' ? outputs.stdout : 'pipe'
  const child = spawn(process.execPath, [cli, ...args], { env: home.env, stdio: ['ignore', stdout, 'pipe'] })
  if (outputs.stdout === 'gone') child.stdout?.destroy()
  else child.stdout?.resume()
  let stderr = ''
  if (outputs.stderr === 'gone') child.stderr?.destroy()
  else child.stderr?.on('data', (chunk) => (stderr += chunk))
  const [code, signal] = await once(child, 'close')
  return { stderr, status: code ?? signal }
}

for (const [args, status] of [
  [['run', '-f', '/nonexistent', '--', 'touch', '{home}/started'], 125],
  [['run', '--dry-run', '-f', '/nonexistent', '--', 'true'], 125],
  [['run', '--', '/nonexistent/x'], 127],
  [['run', '--', '/etc/passwd'], 126],
  [['rm', 'none', 'nor-this'], 3],
  [['get', 'none'], 3],
  [['get'], 2],
  [['nonsense'], 2],
  [['env', '-e', 'A=se://none'], 3],
  [['ls'], 0],
] as const) {
  test(`se ${args.join(' ')} ends with ${status} though nobody reads its outputs`, async (t) => {
    const home = await homeWith(t)
    const words = args.map((word) => word.replace('{home}', home.folder))
    t.is((await withOutputs(home, words, { stderr: 'gone' })).status, status)
    t.is((await withOutputs(home, words, { stderr: 'gone', stdout: 'gone' })).status, status)
    t.false(existsSync(join(home.folder, 'started')))
  })
}

test('rm removes everything though nobody reads what it says, and ends with the status of its failures', async (t) => {
  const home = await homeWith(t, 'a', 'b', 'c', 'd', 'e', 'f')
  t.is((await withOutputs(home, ['rm', 'a', 'b'], { stdout: 'gone' })).status, 0)
  t.is(await home.ok(['ls']), 'c\nd\ne\nf\n')
  t.is((await withOutputs(home, ['rm', 'none', 'c', 'd'], { stdout: 'gone', stderr: 'gone' })).status, 3)
  t.is(await home.ok(['ls']), 'e\nf\n')
  t.is((await withOutputs(home, ['rm', '--all', '--yes'], { stdout: 'gone' })).status, 0)
  t.is(await home.ok(['ls']), '')
})

for (const args of [
  ['ls'],
  ['ls', '--json'],
  ['get', 'a', '--reveal'],
  ['get', 'a'],
  ['get', 'a', '--json', '--reveal'],
  ['env', '-e', 'A=se://a'],
  ['rm', 'a', 'b'],
  ['--help'],
]) {
  linux(`se ${args.join(' ')} says that standard output cannot be written`, async (t) => {
    const home = await homeWith(t, 'a', 'b')
    const ended = await withOutputs(home, args, { stdout: openSync('/dev/full', 'w') })
    t.is(ended.stderr, 'se: standard output cannot be written: no space left on device\n')
    t.is(ended.status, 1)
    if (args[0] === 'rm') t.is(await home.ok(['ls']), '')
  })
}

linux('get --output writes to what a link leads to, and the link stays', async (t) => {
  const home = await homeWith(t, 'a')
  const path = (name: string): string => join(home.folder, name)
  symlinkSync('/proc/self/fd/1', path('stdout'))
  t.is(await home.ok(['get', 'a', '--output', path('stdout')]), 'hunter2')
  writeFileSync(path('log'), 'before ')
  t.is((await withOutputs(home, ['get', 'a', '-o', path('stdout')], { stdout: openSync(path('log'), 'a') })).status, 0)
  t.is(readFileSync(path('log'), 'utf8'), 'before hunter2')
  t.is(await home.ok(['get', 'a', '--output', path('stdout')]), 'hunter2')
  symlinkSync('log', path('link'))
  await home.ok(['get', 'a', '--output', path('link')])
  t.is(readFileSync(path('log'), 'utf8'), 'hunter2')
  const full = await withOutputs(home, ['get', 'a', '-o', path('stdout')], { stdout: openSync('/dev/full', 'w') })
  t.is(full.stderr, 'se: standard output cannot be written: no space left on device\n')
})

// crates/process-core/tests/output_killed.rs does so at every call.
for (const [at, old, left, call = at] of [
  ['fsync', undefined, []],
  ['linkat', undefined, []],
  ['fsync', 'old', [/^key$/]],
  ['linkat', 'old', [/^key$/]],
  ['the rename', 'old', [/^key$/, /^key\.[0-9a-f]{16}\.tmp$/], '?rename,?renameat,?renameat2'],
] as const) {
  const what = old === undefined ? 'makes' : 'replaces'
  traced(`get --output that ${what} a file and is killed at ${at} leaves it as it was, and no part`, async (t) => {
    const home = await homeWith(t, 'a')
    const work = join(home.folder, 'work')
    if (old !== undefined) writeFileSync(join(work, 'key'), old)
    const kill = ['strace', '-f', '-qq', '-o', '/dev/null', '-e', `inject=${call}:signal=KILL`]
    const { status } = await home.se(['get', 'a', '--output', 'key'], { program: [...kill, process.execPath, cli] })
    t.is(status, 'SIGKILL')
    const names = readdirSync(work).sort()
    t.is(names.length, left.length, names.join(' '))
    for (const [index, name] of names.entries()) t.regex(name, left[index] as RegExp)
    if (old !== undefined) t.is(readFileSync(join(work, 'key'), 'utf8'), old)
  })
}
