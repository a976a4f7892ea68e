// A known value goes through every command, in success and in failure. Afterwards it is nowhere but where it was asked to
// be: not in an argument list, an output, an error, JSON, help, a core file, a temporary or a data file.
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { COMMANDS } from '../src/cli/commands.js'
import { loadTree } from '../src/cli/man-page.js'
import { Canary, canaryInFiles } from './helpers/canary.js'
import { checkBundle, cli, createHome, type Home, type RunOptions } from './helpers/se.js'
import { onTerminal } from './helpers/terminal.js'

test.before(checkBundle)

/** Runs a command line, which must end with this status, and looks through what it printed. */
async function quiet(
  t: ExecutionContext,
  home: Home,
  canary: Canary,
  status: number,
  args: readonly string[],
  options?: RunOptions,
): Promise<string> {
  const ended = await home.se(args, options)
  const what = `se ${args.join(' ').replaceAll(canary.text, 'CANARY')}`
  t.is(ended.status, status, `${what}: ${ended.stderr}`)
  t.is(canary.foundIn(ended.stderr), undefined, `${what}: stderr`)
  t.is(canary.foundIn(ended.stdout), undefined, `${what}: stdout`)
  return ended.stdout.toString()
}

test('a value that goes through every command is nowhere else afterwards', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  const canary = Canary.random()
  const value = { stdin: `${canary.text}\n` }
  const run = (status: number, args: readonly string[], options?: RunOptions) =>
    quiet(t, home, canary, status, args, options)
  const commands = new Set<string>()
  const step = (status: number, args: readonly string[], options?: RunOptions) => {
    const [first = '', second = ''] = args
    commands.add(first === 'store' && /^[a-z]+$/.test(second) ? `${first} ${second}` : first)
    return run(status, args, options)
  }

  await step(5, ['set', 'a/b'], value)
  await step(0, ['store', 'use', 'file', '--key-file'])
  await step(0, ['set', 'a/b'], value)
  await step(1, ['set', 'a/b'], value)
  await step(0, ['set', 'a/b', '--force', '--verbatim'], value)
  await step(0, ['set', 'a/json'], { stdin: JSON.stringify({ secret: canary.text, metadata: { owner: 'ada' } }) })
  await step(2, ['set', 'a/bad'], { stdin: JSON.stringify({ secret: { deep: canary.text } }) })
  await step(0, ['set', 'a/lines'], { stdin: `${canary.text}\n${canary.text}\n` })
  await step(0, ['set', `a/argument=${canary.text}`])
  await step(1, ['set', `a/argument=${canary.text}`])
  await step(2, ['set', `not an id=${canary.text}`])
  await step(2, ['set', 'a/b', canary.text])
  await step(2, ['set', 'a/b', `--${canary.text}`])
  await step(2, ['set', 'a/b', `-${canary.text}`])
  await step(2, ['set', `${canary.text} `])
  await step(2, [`${canary.text}`])
  await step(2, ['get', 'a/b', '--store', canary.text])
  await step(2, ['generate', 'x', '--length', canary.text])
  await step(2, ['generate', 'x', '--characters', `${canary.text}${canary.text}`])
  await step(0, ['get', 'a/b'])
  await step(0, ['get', 'a/b', '--json'])
  await step(3, ['get', 'a/none'])
  await step(0, ['ls'])
  await step(0, ['ls', '--long'])
  await step(0, ['ls', '--json'])
  await step(0, ['mv', 'a/lines', 'a/moved'])
  await step(1, ['mv', 'a/moved', 'a/b'])
  await step(0, ['cp', 'a/moved', 'a/copied'])
  await step(1, ['cp', 'a/moved', 'a/b'])
  await step(0, ['generate', 'a/generated'])
  await step(0, ['store'])
  await step(0, ['store', '--json'])
  await step(0, ['store', 'rotate'])
  await step(0, ['store', 'recipient', 'add', 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p'])
  await step(0, ['doctor'])
  await step(0, ['doctor', '--json'])
  await step(0, ['completion', 'bash'])
  await step(0, ['version'])
  await step(0, ['help'])
  await step(0, ['__complete', '--', 'get', 'a/'])

  // Where it is asked for, it is, and whole.
  t.is((await home.se(['get', 'a/json', '--reveal'])).stdout.toString(), canary.text)
  t.is(JSON.parse((await home.se(['get', 'a/json', '--reveal', '--json'])).stdout.toString()).value, canary.text)
  const output = join(home.folder, 'work', 'out')
  await step(0, ['get', 'a/json', '--output', output])
  t.is(readFileSync(output, 'utf8'), canary.text)
  t.is(statSync(output).mode & 0o777, 0o600)
  rmSync(output)
  await step(2, ['get', 'a/json', '--output', join(home.folder, 'work')])

  // An editor, and a command, are told by their environment or a file, never by an argument.
  const spy = join(home.folder, 'work', 'spy')
  writeFileSync(spy, `#!/bin/sh\ntr '\\0' '\\n' < /proc/$$/cmdline\ntr '\\0' '\\n' < /proc/$PPID/cmdline\nexit $SPY\n`)
  chmodSync(spy, 0o755)
  await step(0, ['edit', 'a/json'], { env: { EDITOR: spy, SPY: '0' } })
  await step(1, ['edit', 'a/json'], { env: { EDITOR: spy, SPY: '3' } })
  await step(0, ['run', '-e', 'TOKEN=se://a/json', '--', spy], { env: { SPY: '0' } })
  await step(0, ['run', '-e', 'TOKEN=se://a/json', '--dry-run', '--', spy])
  await step(127, ['run', '-e', 'TOKEN=se://a/json', '--', 'no-such-command'])
  await step(125, ['run', '-e', `TOKEN=${canary.text}`, '--', spy])
  writeFileSync(join(home.folder, 'work', 'bad.env'), `${canary.text}\nTOKEN=${canary.text} "\n`)
  await step(125, ['run', '-f', 'bad.env', '--', spy])
  rmSync(join(home.folder, 'work', 'bad.env'))
  await step(3, ['env', '-e', 'TOKEN=se://a/none'])
  t.true((await home.se(['env', '-e', 'TOKEN=se://a/json'])).stdout.toString().includes(canary.text))

  // The passphrase is a value as well.
  await step(0, ['store', 'passphrase'], value)
  await step(4, ['ls'], { env: { SE_PASSPHRASE: `${canary.text}x` } })
  await step(0, ['ls'], { env: { SE_PASSPHRASE: canary.text } })
  await step(0, ['doctor', '--json'], { env: { SE_PASSPHRASE: canary.text } })
  await step(0, ['run', '--', 'env'], { env: { SE_PASSPHRASE: canary.text } })
  const terminal = onTerminal(home, ['ls'])
  await terminal.shows('Passphrase: ')
  terminal.types(`${canary.text}\r`)
  const shown = await terminal.ends()
  t.is(shown.status, 0)
  t.is(canary.foundIn(shown.screen), undefined)
  await step(0, ['store', 'passphrase', '--remove'], { env: { SE_PASSPHRASE: canary.text } })

  // Into another file and back.
  const other = ['--path', join(home.folder, 'other', 'store.age')]
  await run(0, ['store', 'use', 'file', '--key-file', ...other])
  await run(0, ['store', 'use', 'file', '--path', join(home.folder, 'data/se-native/store.age')])
  await step(0, ['store', 'export', 'file', ...other])
  await step(1, ['store', 'import', 'file', ...other])
  await step(0, ['store', 'import', 'file', '--force', ...other])
  await step(3, ['rm', 'a/b', 'a/none'])
  await step(0, ['rm', '--all', '--yes'])

  t.deepEqual(canaryInFiles(canary, home.folder), [])
  const memoryFiles = readdirSync('/dev/shm', { recursive: true, encoding: 'utf8' })
  t.deepEqual(
    memoryFiles.filter((name) => /se-|edit/.test(name)),
    [],
    'the editor’s file is gone',
  )
  const known = (await loadTree(COMMANDS)).map(({ name }) => name)
  t.deepEqual(
    known.filter((name) => !commands.has(name)),
    [],
    'every command is in this test',
  )
})

test('a value in a wrong configuration is in no error', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  const canary = Canary.random()
  const file = join(home.folder, 'config/se-native/config.toml')
  mkdirSync(join(home.folder, 'config/se-native'))
  for (const text of [
    `store = "${canary.text}"`,
    `passphrase = "${canary.text}"`,
    `${canary.text} = 1`,
    `store = ${canary.text}`,
    `store_path = ["${canary.text}"]`,
    `timeout_ms = "${canary.text}"`,
    canary.text,
  ]) {
    writeFileSync(file, text)
    for (const args of [['ls'], ['store'], ['store', 'use', 'file']]) await quiet(t, home, canary, 2, args)
    await quiet(t, home, canary, 1, ['doctor', '--json'])
  }
  rmSync(file)
  await quiet(t, home, canary, 2, ['ls'], { env: { SE_STORE: canary.text } })
  await quiet(t, home, canary, 2, ['ls'], { env: { SE_TIMEOUT_MS: canary.text } })
})

test('a crash while a value is in memory leaves no core file', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  await home.ok(['store', 'use', 'file', '--key-file'])
  const work = join(home.folder, 'work')
  const crash = async (words: readonly string[]): Promise<string[]> => {
    const child = spawn('/bin/sh', ['-c', 'ulimit -c unlimited; exec "$@"', 'sh', ...words], {
      env: home.env,
      cwd: work,
      stdio: ['pipe', 'ignore', 'ignore'],
    })
    // More than the pipe holds: once it is written, the program is reading it.
    await new Promise((settle) => child.stdin.write(Buffer.alloc(1 << 20, 'value'), settle))
    child.kill('SIGABRT')
    await once(child, 'close')
    return readdirSync(work).filter((name) => name.startsWith('core'))
  }
  t.deepEqual(await crash([process.execPath, cli, 'set', 'a']), [])
  if (!/^core/.test(readFileSync('/proc/sys/kernel/core_pattern', 'utf8'))) {
    t.log('this system does not write core files into the working folder: nothing to compare with')
    return
  }
  const control = await crash([process.execPath, '-e', 'require("fs").readFileSync(0)'])
  t.is(control.length, 1, 'an unprotected program leaves one')
})

test('programs that the command line starts get values by no argument', async (t) => {
  if (spawnSync('strace', ['-V']).error !== undefined) {
    t.false(process.env['SE_REQUIRE'] !== undefined, 'strace is required')
    t.log('strace is missing')
    return
  }
  const home = createHome((fn) => t.teardown(fn))
  const canary = Canary.random()
  await home.ok(['store', 'use', 'file', '--key-file'])
  await home.ok(['set', 'a'], { stdin: canary.text })
  const log = join(home.folder, 'tmp', 'execs')
  const traced = ['strace', '-f', '-qq', '-s', '65536', '-e', 'trace=execve', '-o', log, process.execPath, cli]
  for (const args of [
    ['edit', 'a'],
    ['get', 'a', '--reveal'],
    ['run', '-e', 'T=se://a', '--', 'sh', '-c', 'true'],
    ['env', '-e', 'T=se://a'],
  ]) {
    await home.se(args, { program: traced, env: { EDITOR: 'true' } })
    t.true(readFileSync(log, 'utf8').includes('execve('))
    t.is(canary.foundIn(readFileSync(log)), undefined, args.join(' '))
  }
})
