// Builds, tests and runs what `se plugins init` writes.
import { execFile, spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { goMissing, whileBuilding } from '../helpers/go.js'
import { checkBundle, cli, createFileHome, type Home } from '../helpers/se.js'

const root = fileURLToPath(new URL('../../', import.meta.url))
const run = promisify(execFile)
const withGo = goMissing() === undefined ? test : test.skip

test.before(checkBundle)

/** A home in which a plugin was written, with `se` on its PATH. */
async function written(t: ExecutionContext, name: string, language: string): Promise<{ home: Home; folder: string }> {
  const home = await createFileHome((fn) => t.teardown(fn))
  const bin = join(home.folder, 'bin')
  mkdirSync(bin)
  writeFileSync(join(bin, 'se'), `#!/bin/sh\nexec '${process.execPath}' '${cli}' "$@"\n`)
  chmodSync(join(bin, 'se'), 0o755)
  home.env['PATH'] = `${bin}:${process.env['PATH']}`
  await home.ok(['plugins', 'init', name, '--lang', language])
  return { home, folder: join(home.folder, 'work', name) }
}

test('the plugin in shell passes its own test, and answers', async (t) => {
  const { home, folder } = await written(t, 'in.sh_1', 'sh')
  const { stdout, status } = spawnSync('./test.sh', { cwd: folder, env: home.env, encoding: 'utf8' })
  t.is(status, 0, stdout)
  await home.ok(['plugins', 'add', 'in.sh_1', '--lines', '--', join(folder, 'in.sh_1')])
  t.is(await home.ok(['get', 'in.sh_1/hello', '--reveal']), 'world')
})

test('the plugin in TypeScript passes its own test, and answers', async (t) => {
  const { home, folder } = await written(t, 'typed', 'ts')
  // What npm install would do.
  mkdirSync(join(folder, 'node_modules/@types'), { recursive: true })
  symlinkSync(root, join(folder, 'node_modules/se-native'))
  for (const name of ['typescript', '@types/node', 'undici-types']) {
    symlinkSync(join(root, 'node_modules', name), join(folder, 'node_modules', name))
  }
  const tsc = join(folder, 'node_modules/typescript/bin/tsc')
  await run(process.execPath, [tsc], { cwd: folder })
  await run(process.execPath, ['--test', 'plugin.test.js'], { cwd: folder, env: home.env })
  await home.ok(['plugins', 'add', 'typed', '--', process.execPath, join(folder, 'plugin.js')])
  t.is(await home.ok(['get', 'typed/hello', '--reveal']), 'world')
  t.regex(await home.ok(['plugins', 'ls']), /^typed +v0\.1\.0 +typed\/\*\* +stopped +starts when it is needed$/m)
  t.regex(await home.ok(['plugins', 'logs', 'typed']), /se: typed v0\.1\.0 registered\n/)

  // A program that closes nothing ends by itself, and so does the plugin.
  writeFileSync(
    join(folder, 'use.mjs'),
    `import { resolve } from 'se-native'\nconsole.log(await resolve('se://typed/hello').text())`,
  )
  t.is((await run(process.execPath, ['use.mjs'], { cwd: folder, env: home.env })).stdout, 'world\n')
  const started = [...(await home.ok(['plugins', 'logs', 'typed'])).matchAll(/started, process (\d+)/g)].map(
    ([, pid]) => Number(pid),
  )
  t.is(started.length, 2)
  while (started.some(isAlive)) await new Promise(setImmediate)
})

withGo('the plugin in Go passes its own test, and answers', async (t) => {
  const { home, folder } = await written(t, 'gone', 'go')
  copyFileSync(join(root, '__test__/go/go.sum'), join(folder, 'go.sum'))
  const env = { ...process.env, GOFLAGS: '-mod=mod -buildvcs=false' }
  await whileBuilding(t, run('go', ['test', './...'], { cwd: folder, env }))
  await whileBuilding(t, run('go', ['build', '-o', 'gone', '.'], { cwd: folder, env }))
  const report = await home.ok(['plugins', 'test', join(folder, 'gone'), '--id', 'gone/hello'])
  t.regex(report, /\n1\.\.15\n$/)
  t.notRegex(report, /not ok|SKIP/)
  await home.ok(['plugins', 'add', 'gone', '--', join(folder, 'gone')])
  t.is(await home.ok(['get', 'gone/hello', '--reveal']), 'world')
})

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return !/^\d+ \(.*\) [ZX]/.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))
  } catch {
    return false
  }
}
