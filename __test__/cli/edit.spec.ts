// `se edit`: what the editor gets and leaves, and what is left when something comes between.
import { spawn } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import test from 'ava'
import { checkBundle, cli, createFileHome, type Home } from '../helpers/se.js'
import { Started } from '../helpers/start.js'
import { onTerminal } from '../helpers/terminal.js'

const linux = process.platform === 'linux' ? test : test.skip

test.before(checkBundle)

test('edit gives the value to the editor and keeps what it left', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  await home.ok(['set', 'a', '-m', 'k=v'], { stdin: 'one' })
  const edit = (editor: string) => home.se(['edit', 'a'], { env: { EDITOR: editor } })
  t.is((await edit('sed -i s/one/two/')).status, 0)
  t.is(await home.ok(['get', 'a', '--reveal']), 'two')
  t.regex(await home.ok(['ls', '--long']), /k=v\n$/)
  t.is((await edit('true')).stderr, 'a was not changed\n')
  const failed = await edit('false')
  t.is(failed.stderr, 'se: the editor ended with 1; nothing was changed\nhint: name another one in VISUAL or EDITOR\n')
  t.is(failed.status, 1)
  t.is(await home.ok(['get', 'a', '--reveal']), 'two')
  t.is((await edit('truncate -s 0')).stderr, 'The value of a is empty now.\n')
})

/** Starts `se edit a` with an editor of shell commands, whose first line of output is the path of the file. */
async function startEdit(home: Home, commands: string): Promise<{ started: Started; path: string }> {
  const env = { ...home.env, EDITOR: `sh -c '${commands}' sh` }
  const started = new Started(spawn(process.execPath, [cli, 'edit', 'a'], { env }))
  const [, path = ''] = await started.expect(/(\/.*)\n/)
  return { started, path }
}

for (const signal of ['SIGTERM', 'SIGHUP'] as const) {
  for (const [what, trap] of [
    ['an editor that dies of it', ''],
    ['an editor that ignores it', 'trap "" TERM HUP; '],
    ['an editor that saves and ends well', 'trap "echo saved >$1; exit 0" TERM HUP; '],
  ] as const) {
    linux(`${signal} with ${what} leaves no file, stores nothing, and ends se by the signal`, async (t) => {
      const home = await createFileHome((fn) => t.teardown(fn))
      await home.ok(['set', 'a'], { stdin: 'hunter2' })
      const { started, path } = await startEdit(home, `${trap}echo "$1"; while [ -e "$1" ]; do sleep 0.05; done`)
      t.true(existsSync(path))
      started.child.kill(signal)
      t.is(await started.end(), signal)
      t.false(existsSync(dirname(path)))
      t.is(await home.ok(['get', 'a', '--reveal']), 'hunter2')
    })
  }
}

/** Waits until something is so. What is waited for tells nobody when it comes. */
async function until(what: string, isSo: () => boolean): Promise<void> {
  for (const end = Date.now() + 60_000; !isSo(); ) {
    if (Date.now() > end) throw new Error(`it did not come: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

/** What is noted for who removes files after a crash. */
const records = (home: Home): string[] => readdirSync(join(home.folder, 'run/se-native/files'))

/** Saves as editors do, with a backup beside, says where, and stays until the file goes. */
const EDITOR_THAT_STAYS =
  'cp "$1" "$1~"; mkdir "${1%/*}/undo"; cp "$1" "${1%/*}/undo/1"; ' +
  'echo new >"$1.new"; mv "$1.new" "$1"; echo "$1"; while [ -e "$1" ]; do sleep 0.05; done'

/** The children of a process that remove its files when it is killed. */
const watchersOf = (pid: number): number[] =>
  readdirSync(`/proc/${pid}/task`)
    .flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1').match(/\d+/g) ?? [])
    .map(Number)
    .filter((child) => readFileSync(`/proc/${child}/cmdline`, 'latin1').includes('__watch-files'))

linux(
  'after a SIGKILL nothing is left of the value, of what the editor made of it and of what lies beside',
  async (t) => {
    const home = await createFileHome((fn) => t.teardown(fn))
    await home.ok(['set', 'a'], { stdin: 'hunter2' })
    const { started, path } = await startEdit(home, EDITOR_THAT_STAYS)
    t.deepEqual(readdirSync(dirname(path)).sort(), ['secret', 'secret~', 'undo'])
    t.is(records(home).length, 1)
    const [watcher = 0, ...others] = watchersOf(started.child.pid ?? 0)
    t.deepEqual(others, [])
    // It has nothing of this process but its three streams, and those lead nowhere.
    t.is(readFileSync(`/proc/${watcher}/environ`, 'latin1'), '')
    const open = readdirSync(`/proc/${watcher}/fd`).map((fd) => readlinkSync(`/proc/${watcher}/fd/${fd}`))
    const record = join(home.folder, 'run/se-native/files', records(home)[0] ?? '')
    t.deepEqual(open, ['/dev/null', '/dev/null', '/dev/null', record])
    const killed = Date.now()
    started.child.kill('SIGKILL')
    await until('the folder goes', () => !existsSync(dirname(path)))
    t.log(`after ${Date.now() - killed} ms`)
    t.is(await started.end(), 'SIGKILL')
    await until('the record goes', () => records(home).length === 0)
    t.is(await home.ok(['get', 'a', '--reveal']), 'hunter2')
  },
)

for (const [next, args, env] of [
  ['edit', ['edit', 'b'], { EDITOR: 'true' }],
  ['run with a file', ['run', '--file', 'F=se://b', '--', 'true'], {}],
] as const) {
  linux(`when the watcher is killed too, the next se ${next} removes what is left`, async (t) => {
    const home = await createFileHome((fn) => t.teardown(fn))
    for (const id of ['a', 'b']) await home.ok(['set', id], { stdin: 'hunter2' })
    const { started, path } = await startEdit(home, EDITOR_THAT_STAYS)
    for (const watcher of watchersOf(started.child.pid ?? 0)) process.kill(watcher, 'SIGKILL')
    started.child.kill('SIGKILL')
    await until('se has ended', () => started.child.signalCode !== null)
    t.true(existsSync(path))
    t.is((await home.se(args, { env })).status, 0)
    t.false(existsSync(dirname(path)))
    t.deepEqual(records(home), [])
    t.is(await started.end(), 'SIGKILL')
  })
}

linux('Ctrl-C and Ctrl-\\ are for the editor: se carries on', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  await home.ok(['set', 'a'], { stdin: 'hunter2' })
  const { started, path } = await startEdit(home, 'echo "$1"; read line; echo "$line" >"$1"')
  for (const signal of ['SIGINT', 'SIGQUIT', 'SIGINT'] as const) started.child.kill(signal)
  started.send('new\n')
  t.is(await started.end(), 0)
  t.false(existsSync(dirname(path)))
  t.deepEqual(records(home), [])
  t.is(await home.ok(['get', 'a', '--reveal']), 'new')
})

/** What the person wrote and could not be stored, from the file that the message names, which is then removed. */
function takeKept(stderr: string): string {
  const [, path = ''] = /hint: what you wrote is in (\S+\/se-edit-\S+\/secret): take it/.exec(stderr) ?? []
  const text = readFileSync(path, 'utf8')
  if ((statSync(path).mode & 0o777) !== 0o600) throw new Error('others may read it')
  rmSync(dirname(path), { recursive: true })
  return text
}

const meddling = (args: string): NodeJS.ProcessEnv => ({
  EDITOR: `sh -c 'echo theirs | ${process.execPath} ${cli} ${args} && echo mine >"$1"' sh`,
})

for (const [how, args, stored] of [
  ['changed', 'set a --force', 'theirs'],
  ['changed', 'set a=one --force -m k=w', 'one'],
  ['removed', 'rm a >/dev/null', ''],
] as const) {
  test(`edit does not replace what another process ${how} meanwhile (se ${args}), unless --force is given`, async (t) => {
    const home = await createFileHome((fn) => t.teardown(fn))
    const set = () => home.ok(['set', 'a', '--force', '-m', 'k=v'], { stdin: 'one' })
    await set()
    // In a session of its own, so that there is no terminal to ask on.
    const program = ['setsid', '--wait', process.execPath, cli]
    const refused = await home.se(['edit', 'a'], { env: meddling(args), program })
    const [problem, hint] = refused.stderr.split('\n')
    t.is(problem, `se: another process ${how} a meanwhile; nothing was written`)
    t.is(hint, 'hint: run se edit again, on what is stored now; --force writes all the same')
    t.is(takeKept(refused.stderr), 'mine\n')
    t.is(refused.status, 1)
    t.is((await home.se(['get', 'a', '--reveal'])).stdout.toString(), stored)
    await set()
    await home.ok(['edit', 'a', '--force'], { env: meddling(args) })
    t.is(await home.ok(['get', 'a', '--reveal']), 'mine')
  })
}

test('edit asks on the terminal whether to replace what another process wrote meanwhile', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  await home.ok(['set', 'a'], { stdin: 'one' })
  for (const [answer, stored, status] of [
    ['n\r', 'theirs', 1],
    ['y\r', 'mine', 0],
  ] as const) {
    await home.ok(['set', 'a', '--force'], { stdin: 'one' })
    const terminal = onTerminal(home, ['edit', 'a'], meddling('set a --force'))
    await terminal.shows('Another process changed a meanwhile. Write what you made of it? [y/N] ')
    terminal.types(answer)
    const ended = await terminal.ends()
    t.is(ended.status, status)
    if (status !== 0) t.is(takeKept(ended.screen), 'mine\n')
    t.is(await home.ok(['get', 'a', '--reveal']), stored)
  }
})

linux('what the store refuses is left to the person', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  await home.ok(['set', 'a'], { stdin: 'one' })
  const file = join(home.folder, 'data/se-native/store.age')
  const { stderr, status } = await home.se(['edit', 'a'], {
    env: { EDITOR: `sh -c 'echo precious >"$1"; chmod 644 ${file}' sh` },
  })
  t.is(status, 4)
  t.is(takeKept(stderr), 'precious\n')
  t.deepEqual(records(home), [])
})

linux('a pipe or a link in place of the file is not read, and nothing of it stays', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  await home.ok(['set', 'a'], { stdin: 'one' })
  const left = (): string[] => readdirSync(join(home.folder, 'run')).filter((name) => name.startsWith('se-edit-'))
  for (const replace of ['mkfifo "$1"', 'ln -s /etc/passwd "$1"', 'mkdir "$1"']) {
    const { stderr, status } = await home.se(['edit', 'a'], { env: { EDITOR: `sh -c 'rm "$1"; ${replace}' sh` } })
    t.is(status, 1, stderr)
    t.regex(stderr, /^se: .*secret cannot be read: /)
    t.deepEqual([...left(), ...records(home)], [])
  }
  t.is(await home.ok(['get', 'a', '--reveal']), 'one')
})
