// What a command reads and compiles at its start is most of its time: each loads what it needs, and nothing beside.
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { startDaemon } from '../helpers/daemon.js'
import { checkBundle, cli, createFileHome, type Home } from '../helpers/se.js'

const onUnix = process.platform === 'win32' ? test.skip : test

/** Told at the end, on standard error: the files of ours that were loaded, and Node's own modules. */
const TELL = `
const before = new Set(process.moduleLoadList)
process.on('exit', () => {
  const files = Object.keys(require.cache).flatMap((file) => /cli[^\\\\/]*\\.cjs$/.exec(file) ?? [])
  const modules = process.moduleLoadList.filter((name) => !before.has(name))
  require('node:fs').writeSync(2, JSON.stringify({ files, modules }))
})
`

/** Modules of Node that take half a millisecond and more. */
const DEAR = ['os', 'net', 'tty', 'child_process', 'perf_hooks', 'readline', 'url', 'worker_threads']

async function loaded({ folder, se }: Home, ...args: string[]): Promise<{ files: string[]; dear: string[] }> {
  const tell = join(folder, 'tell.cjs')
  writeFileSync(tell, TELL)
  const { stderr, status } = await se(args, { program: [process.execPath, '-r', tell, cli] })
  if (status !== 0) throw new Error(stderr)
  const { files, modules } = JSON.parse(stderr) as { files: string[]; modules: string[] }
  return {
    files,
    dear: DEAR.filter((name) => modules.includes(`NativeModule ${name}`)),
  }
}

test.before(checkBundle)

test('help loads neither what asks for secrets nor the commands', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  t.deepEqual(await loaded(home, '--help'), { files: ['cli.cjs', 'cli-report.cjs'], dear: [] })
})

test('get without a daemon loads nothing of its client, nor of plugins', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  await home.ok(['set', 'a/b'], { stdin: 'value' })
  const files = ['cli.cjs', 'cli-ask.cjs', 'cli-store.cjs']
  t.deepEqual(await loaded(home, 'get', 'a/b', '--reveal', '--no-daemon'), { files, dear: [] })
})

onUnix('get through the daemon loads no engine', async (t) => {
  const { home } = await startDaemon(t, { home: await createFileHome((fn) => t.teardown(fn)) })
  await home.ok(['set', 'a/b'], { stdin: 'value' })
  // The configuration of this daemon has a table.
  const files = ['cli.cjs', 'cli-ask.cjs', 'cli-client.cjs', 'cli-tables.cjs']
  t.deepEqual(await loaded(home, 'get', 'a/b', '--reveal'), { files, dear: [] })
})

test('ls loads the store, and of the commands only those of a store', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  const { files } = await loaded(home, 'ls')
  t.deepEqual(
    files.filter((file) => !['cli.cjs', 'cli-ask.cjs', 'cli-store.cjs', 'cli-keep.cjs'].includes(file)),
    [],
  )
})
