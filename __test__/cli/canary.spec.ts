// A value that is known goes through every command, with success and with failure. It may leave the process where a value
// was asked for, and nowhere else: not in what is written, sent or passed to another program (strace sees every such
// system call), not in a file, and not in a core.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Canary, canaryInFiles, canaryInMemory } from '../helpers/canary.js'
import { startDaemon } from '../helpers/daemon.js'
import { keyringMissing, startKeyring } from '../helpers/keyring.js'
import { checkLauncher, launcher, pathWithoutNode } from '../helpers/launcher.js'
import { hasProgram } from '../helpers/programs.js'
import { checkBundle, cli, createFileHome, createHome, type Home } from '../helpers/se.js'

const linux = hasProgram('strace') ? test.serial : test.serial.skip
const onAKeyring = hasProgram('strace') && keyringMissing() === undefined ? test.serial : test.serial.skip
const canary = Canary.random()
const value = canary.text
const ref = { TOKEN: 'se://a/b' }
const inMemory = `/dev/shm/se-canary-${process.pid}`

/** A command line, what it is given, what it must end with, and whether the value is handed to an editor or a file in memory. */
interface Step {
  readonly args: readonly string[]
  readonly stdin?: string
  readonly env?: NodeJS.ProcessEnv
  readonly status: number
  readonly handsOver?: boolean
}

test.before(() => {
  checkBundle()
  if (process.platform === 'linux') checkLauncher()
})

const commands: readonly Step[] = [
  { args: ['set', 'a/b'], stdin: `${value}\n`, status: 0 },
  { args: ['set', 'a/b'], stdin: value, status: 1 },
  { args: ['set', 'a//b'], stdin: value, status: 2 },
  { args: ['set', 'lines', '-m', 'k=v'], stdin: `${value}\n${value}\n`, status: 0 },
  { args: ['set', 'json'], stdin: JSON.stringify({ secret: value, metadata: { k: 'v' } }), status: 0 },
  { args: ['set', 'bad'], stdin: JSON.stringify({ secret: [value] }), status: 2 },
  { args: ['set', 'bad'], stdin: JSON.stringify({ secret: value, metadata: value }), status: 2 },
  { args: ['set', 'open'], stdin: `{"secret": "${value}`, status: 0 },
  { args: ['set', 'long'], stdin: value.repeat(530_000), status: 1 },
  { args: ['get', 'a/b'], status: 0 },
  { args: ['get', 'a/b', '--json'], status: 0 },
  { args: ['get', 'a/c'], status: 3 },
  { args: ['ls', '--long'], status: 0 },
  { args: ['ls', '--json'], status: 0 },
  { args: ['cp', 'a/b', 'a/c'], status: 0 },
  { args: ['cp', 'a/b', 'a/c'], status: 1 },
  { args: ['mv', 'a/c', 'a/d'], status: 0 },
  { args: ['mv', 'a/d', 'a/b'], status: 1 },
  { args: ['edit', 'a/b'], env: { EDITOR: 'true' }, status: 0, handsOver: true },
  { args: ['edit', 'a/b'], env: { EDITOR: 'false' }, status: 1, handsOver: true },
  { args: ['run', '--', 'true'], env: ref, status: 0 },
  // The plan goes to the parent in a file in memory.
  { args: ['run', '--mask', '--', 'true'], env: ref, status: 0, handsOver: true },
  {
    // The command writes it, the parent does not.
    args: [
      'run',
      '--mask=always',
      '--',
      'sh',
      '-c',
      'echo "$TOKEN"; echo "$TOKEN" | base64 >&2; echo "$TOKEN" | od -tx1',
    ],
    env: ref,
    status: 0,
    handsOver: true,
  },
  { args: ['run', '--mask=always', '--', '{home}/none'], env: ref, status: 127, handsOver: true },
  { args: ['run', '--dry-run', '--', 'true'], env: ref, status: 0 },
  { args: ['run', '--', 'true'], env: { ...ref, B: 'se://a/none', C: 'se://a/*' }, status: 125 },
  { args: ['run', '--', '{home}/none'], env: ref, status: 127 },
  { args: ['run', '--env-from', 'se://a/*', '--prefix', 'A_', '--', 'true'], env: ref, status: 0 },
  { args: ['run', '--env-from', 'se://a/*', '--dry-run', '--', 'true'], status: 0 },
  { args: ['run', '--env-from', 'se://a/*', '--', 'true'], env: { B: 'se://a/b' }, status: 125 },
  { args: ['run', '--env-from', 'se://a/*', '--env-from', 'se://*/b', '--', 'true'], status: 0 },
  { args: ['run', '-f', '{home}/bad.env', '--', 'true'], env: ref, status: 125 },
  { args: ['redact'], env: ref, stdin: `1 ${value} 2 ${Buffer.from(value).toString('base64')}`, status: 0 },
  { args: ['redact', '--pattern', 'se://**'], stdin: value, status: 0 },
  { args: ['redact', '--pattern', 'se://none/**'], stdin: value, status: 3 },
  { args: ['run', '--file', 'F=se://a/b', '--', 'true'], status: 0, handsOver: true },
  { args: ['run', '--', 'true'], env: { TOKEN_FILE: 'se://a/b' }, status: 0, handsOver: true },
  { args: ['run', '--file', `F=se://a/b,path=${inMemory}`, '--', 'true'], status: 0, handsOver: true },
  { args: ['run', '--file', `F=se://a/b,path=${inMemory}`, '--', '{home}/none'], status: 127, handsOver: true },
  { args: ['run', '--file', 'F=se://a/b,path={home}/key', '--', 'true'], status: 125 },
  { args: ['run', '--file', 'F=se://a/b,path=/dev/shm', '--', 'true'], status: 125 },
  { args: ['run', '--dry-run', '--file', 'F=se://a/b', '--', 'true'], status: 0 },
  { args: ['store'], status: 0 },
  { args: ['__complete', 'get', ''], status: 0 },
  { args: ['rm', 'a/d', 'a/none'], status: 3 },
]

linux('file: the value leaves no command but where it was asked for', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  await home.ok(['store', 'use', 'file', '--key-file'])
  await runAll(t, home, commands)
  const data = join(home.folder, 'data', 'se-native')
  const [store, identity, config] = [
    join(data, 'store.age'),
    join(data, 'identity.age'),
    join(home.folder, 'config', 'se-native', 'config.toml'),
  ]
  const other = join(home.folder, 'other')
  mkdirSync(other)
  const elsewhere = { SE_STORE_PATH: join(other, 'store.age'), SE_IDENTITY: join(other, 'identity.age') }
  await home.ok(['store', 'use', 'file', '--key-file', '--path', elsewhere.SE_STORE_PATH])
  writeFileSync(config, 'store = "file"\n')
  await runAll(t, home, [
    {
      args: ['store', 'export', 'file', '--path', elsewhere.SE_STORE_PATH, '--identity', elsewhere.SE_IDENTITY],
      status: 0,
    },
    { args: ['get', 'a/b'], env: elsewhere, status: 0 },
    { args: ['get', 'a/b'], env: { SE_IDENTITY: elsewhere.SE_IDENTITY }, status: 4 },
    { args: ['store', 'passphrase'], stdin: `${value}\n`, status: 0 },
    { args: ['get', 'a/b'], env: { SE_PASSPHRASE: `not ${value}` }, status: 4 },
    { args: ['run', '--', 'env'], env: { ...ref, SE_PASSPHRASE: value, TOKEN: '' }, status: 0 },
    { args: ['ls'], env: { SE_STORE: value }, status: 2 },
    { args: ['ls'], env: { SE_TIMEOUT_MS: value }, status: 2 },
    { args: ['doctor'], status: 0 },
  ])
  copyFileSync(elsewhere.SE_STORE_PATH, store)
  copyFileSync(elsewhere.SE_IDENTITY, identity)
  chmodSync(store, 0o644)
  await runAll(t, home, [{ args: ['get', 'a/b'], status: 4 }])
  chmodSync(store, 0o600)
  truncateSync(store, 300)
  await runAll(t, home, [
    { args: ['get', 'a/b'], status: 1 },
    { args: ['set', 'a/new'], stdin: value, status: 1 },
  ])
  appendFileSync(config, `${value} = "x"\npassphrase = "${value}"\n`)
  await run(t, home, { args: ['get', 'a/b'], status: 2 })
})

onAKeyring('keychain: the value leaves no command but where it was asked for', async (t) => {
  await using keyring = await startKeyring()
  const home = createHome((fn) => t.teardown(fn))
  home.env['DBUS_SESSION_BUS_ADDRESS'] = keyring.env['DBUS_SESSION_BUS_ADDRESS']
  await runAll(t, home, commands)
  t.deepEqual(canaryInFiles(canary, keyring.env['HOME'] as string), [])
  t.deepEqual(canaryInFiles(canary, keyring.env['XDG_DATA_HOME'] as string), [])
})

linux('launcher: the value leaves no command that is done without Node but where it was asked for', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  await home.ok(['set', 'a/b'], { stdin: value })
  await startDaemon(t, { home })
  const native = ['/usr/bin/env', `PATH=${pathWithoutNode(home)}`, launcher]
  const base64 = Buffer.from(value).toString('base64')
  const steps: readonly Step[] = [
    { args: ['run', '--', 'true'], env: ref, status: 0 },
    { args: ['run', '-e', 'A=se://*/b', '--env-from', 'se://a/*', '--', 'true'], env: ref, status: 0 },
    { args: ['run', '--mask=always', '--', 'true'], env: ref, status: 0 },
    { args: ['run', '--mask=always', '--', 'printenv', 'TOKEN'], env: ref, status: 0, handsOver: true },
    { args: ['run', '--mask=always', '--', '{home}/none'], env: ref, status: 127 },
    { args: ['run', '--file', 'F=se://a/b', '--', 'true'], env: { G_FILE: 'se://a/b' }, status: 0, handsOver: true },
    { args: ['get', 'a/b'], status: 0 },
    { args: ['redact'], env: ref, stdin: `1 ${value} 2 ${base64}`, status: 0 },
    { args: ['redact', '--pattern', 'se://**'], stdin: value, status: 0 },
  ]
  await runAll(t, home, steps, native)

  const out = join(home.folder, 'out')
  const toFile = ['/bin/sh', '-c', `exec "$@" > ${out}`, 'sh', ...native]
  const { stderr, status, calls } = await traced(home, { args: ['get', 'a/b', '--reveal'], status: 0 }, toFile)
  t.is(`${status}${stderr}${readFileSync(out)}`, `0${value}`)
  rmSync(out)
  t.is(canary.foundIn(calls), 'plain')
  const elsewhere = calls.toString('latin1').replace(/^\d+ +write\(1, .*$/gm, '')
  t.is(canary.foundIn(Buffer.from(elsewhere, 'latin1')), undefined, 'it is written to the file, and nowhere else')
  t.deepEqual(canaryInFiles(canary, home.folder), [])
})

linux('launcher: what stays beside a stream shows the value nowhere', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  await home.ok(['set', 'a/b'], { stdin: value })
  await startDaemon(t, { home })
  const env = { ...home.env, ...ref, PATH: pathWithoutNode(home) }
  for (const args of [['redact'], ['run', '--mask=always', '--', 'cat']]) {
    const child = spawn(launcher, args, { env, cwd: join(home.folder, 'work') })
    let stderr = ''
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk
    })
    child.stdin.write(`${value}\n`)
    const [shown] = (await once(child.stdout, 'data')) as [Buffer]
    t.is(shown.toString(), '[se://a/b]\n')
    const place = `/proc/${child.pid}`
    const facts = ['cmdline', 'comm', 'environ', 'status', 'maps'].map((name) => readOrEmpty(join(place, name)))
    t.is(canary.foundIn(facts.join('\n')), undefined, args[0])
    t.deepEqual(canaryInFiles(canary, home.folder), [])
    const files = join(place, 'fd')
    const deleted = readdirSync(files).filter((fd) => /memfd|deleted/.test(readlinkSync(join(files, fd))))
    t.deepEqual(deleted, [], 'no file without a name')
    child.stdin.end()
    const [status] = await once(child, 'close')
    t.is(`${status}${stderr}`, '0')
  }
})

linux('where the value was asked for, strace sees it leave: the look is not blind', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  await home.ok(['store', 'use', 'file', '--key-file'])
  await home.ok(['set', 'a/b'], { stdin: value })
  const shown = await traced(home, { args: ['get', 'a/b', '--reveal'], status: 0 })
  t.is(shown.stdout.toString(), value)
  t.is(canary.foundIn(shown.calls), 'plain')
})

linux('a process that holds the value leaves no core behind', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  await home.ok(['store', 'use', 'file', '--key-file'])
  await home.ok(['set', 'a/b'], { stdin: value })
  const work = join(home.folder, 'work')
  // It waits for a reader that takes nothing, with the value in its hands.
  const fill = `head -c 65536 /dev/zero; exec ${process.execPath} ${cli} get a/b --reveal`
  const child = spawn('sh', ['-c', `ulimit -c unlimited; { ${fill}; } | sleep 60`], {
    cwd: work,
    env: home.env,
    stdio: ['ignore', 'ignore', 'inherit'],
    detached: true,
  })
  const cores = (): string[] => readdirSync(work).filter((name) => name.startsWith('core'))
  const holding = await until(() => childOf(child.pid as number).find((pid) => holds(pid)))
  process.kill(holding, 'SIGABRT')
  await until(() => (holds(holding) ? undefined : true))
  process.kill(-(child.pid as number), 'SIGKILL')
  await once(child, 'close')
  t.deepEqual(cores(), [])
  t.deepEqual(canaryInFiles(canary, home.folder), [])
  // Here it would have been. Where the system sends cores elsewhere, only /proc/sys/kernel/core_pattern knows.
  await once(spawn('sh', ['-c', 'ulimit -c unlimited; kill -ABRT $$'], { cwd: work }), 'close')
  if (!/[|/]/.test(readFileSync('/proc/sys/kernel/core_pattern', 'utf8'))) t.is(cores().length, 1)
})

/** Runs command lines under strace, and looks at all that comes of each, and at the files in the end. */
async function runAll(
  t: ExecutionContext,
  home: Home,
  steps: readonly Step[],
  program?: readonly string[],
): Promise<void> {
  for (const step of steps) await run(t, home, step, program)
  t.deepEqual(canaryInFiles(canary, home.folder), [])
  t.deepEqual(canaryInEditFiles(), [])
  t.false(existsSync(inMemory))
}

/** The folders of editors that have the canary. Those of other tests come and go. */
function canaryInEditFiles(): string[] {
  return readdirSync('/dev/shm')
    .filter((name) => name.startsWith('se-edit-'))
    .flatMap((name) => {
      try {
        return canaryInFiles(canary, join('/dev/shm', name))
      } catch {
        return []
      }
    })
}

async function run(t: ExecutionContext, home: Home, step: Step, se?: readonly string[]): Promise<void> {
  const what = `se ${step.args.join(' ')}`
  const envFile = join(home.folder, 'bad.env')
  writeFileSync(envFile, `GOOD=1\n${value} x\n@from ${value}\n@from se://a/* prefix=${value}-\nBAD = '${value}\n`)
  const { stdout, stderr, status, calls } = await traced(home, step, se)
  rmSync(envFile)
  t.is(status, step.status, `${what}: ${stderr}`)
  t.is(canary.foundIn(stdout), undefined, `${what}: stdout`)
  t.is(canary.foundIn(stderr), undefined, `${what}: stderr`)
  t.is(canary.foundIn(calls), step.handsOver ? 'plain' : undefined, `${what}: system calls`)
}

/** Runs a command line, with all that it and its children write, send or pass to other programs. */
async function traced(home: Home, { args, stdin, env }: Step, se: readonly string[] = [process.execPath, cli]) {
  const log = join(home.folder, '..', `se-strace-${process.pid}-${value.slice(0, 4)}`)
  // Environments are not shown: commands get the values there.
  const calls = 'trace=execve,write,writev,pwrite64,pwritev,sendto,sendmsg,sendmmsg,openat,connect'
  const program = ['strace', '-f', '-qq', '-s', '1000000', '-e', calls, '-o', log, ...se]
  try {
    const ended = await home.se(
      args.map((word) => word.replaceAll('{home}', home.folder)),
      { program, ...(stdin !== undefined && { stdin }), ...(env !== undefined && { env }) },
    )
    return { ...ended, calls: readFileSync(log) }
  } finally {
    rmSync(log, { force: true })
  }
}

function holds(pid: number): boolean {
  try {
    return canaryInMemory(canary, pid).length > 0
  } catch {
    return false
  }
}

function childOf(pid: number): number[] {
  const own = (readOrEmpty(`/proc/${pid}/task/${pid}/children`).match(/\d+/g) ?? []).map(Number)
  return [...own, ...own.flatMap(childOf)]
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

async function until<T>(look: () => T | undefined): Promise<T> {
  for (let tries = 0; tries < 500; tries++) {
    const seen = look()
    if (seen !== undefined) return seen
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error('it did not come')
}
