// Secrets as files: what the command, and what it starts, can read; and that nothing is left of it, whatever is killed.
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Canary, canaryInFiles, canaryInMemory } from '../helpers/canary.js'
import { canBecomeAnother, hasProgram } from '../helpers/programs.js'
import { checkBundle, cli, createFileHome, type Home } from '../helpers/se.js'
import { type Started, start } from '../helpers/start.js'

const linux = process.platform === 'linux' ? test.serial : test.serial.skip
const asRoot = canBecomeAnother() ? linux : test.serial.skip
const withAge = process.platform === 'linux' && hasProgram('age') ? test.serial : test.serial.skip
const withSsh = process.platform === 'linux' && hasProgram('ssh-keygen') ? test.serial : test.serial.skip
const BINARY = Buffer.from([0, 0xff, 0x0a, 0, 0x80, 0x0d])

test.before(checkBundle)

/** A home with secrets, and a folder in memory. */
async function setUp(t: ExecutionContext, secrets: Record<string, string | Uint8Array> = {}) {
  const home = await createFileHome((fn) => t.teardown(fn))
  for (const [id, value] of Object.entries(secrets)) await home.ok(['set', id, '--verbatim'], { stdin: value })
  const memory = mkdtempSync('/dev/shm/se-files-')
  t.teardown(() => rmSync(memory, { recursive: true, force: true }))
  return { home, memory }
}

/** Starts `se` with its own PID as the child's. */
function startSe(home: Home, args: readonly string[]): Started {
  const env = Object.entries(home.env).map(([name, value]) => `${name}=${value}`)
  return start(home.folder, { argv: [process.execPath, cli, ...args], env })
}

/** Waits for something that tells nobody when it comes. */
async function until(what: string, isSo: () => boolean): Promise<void> {
  for (const end = Date.now() + 60_000; !isSo(); ) {
    if (Date.now() > end) throw new Error(`it did not come: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

linux('a file in memory is read as often as wanted, by whom the command starts too, and byte for byte', async (t) => {
  const { home } = await setUp(t, { key: BINARY })
  const readers = [
    ['sh', '-c', 'cat "$F"; cat "$F"'],
    ['sh', '-c', 'cat < "$F"; sh -c \'exec 3<"$F"; cat <&3; :\'; :'],
    [
      'node',
      '-e',
      'const fs = require("fs"); for (const _ of "ab") process.stdout.write(fs.readFileSync(process.env.F))',
    ],
    [
      'python3',
      '-c',
      'import os, subprocess\nfor _ in "ab": subprocess.run(["cat", os.environ["F"]], close_fds=True, check=True)',
    ],
    // A program that becomes another one, and one more.
    ['sh', '-c', 'exec env sh -c \'cat "$F"; exec cat "$F"\''],
  ]
  for (const reader of readers) {
    const ended = await home.se(['run', '--file', 'F=se://key', '--', ...reader])
    t.is(ended.stderr, '', reader.join(' '))
    t.deepEqual(ended.stdout, Buffer.concat([BINARY, BINARY]), reader.join(' '))
  }
})

linux(
  'NAME_FILE=se://… is a file, from the environment, an env file and -e, and se inside se passes it on',
  async (t) => {
    const { home } = await setUp(t, { key: 'value' })
    writeFileSync(join(home.folder, 'work/.env'), 'B_FILE=se://key\n')
    const flags = ['-f', '.env', '-e', 'C_FILE=se://key']
    const script = 'cat "$A_FILE" "$B_FILE" "$C_FILE"'
    const inner = [process.execPath, cli, 'run', '--file', 'A_FILE=se://key', '--', 'sh', '-c', script]
    const env = { A_FILE: 'se://key' }
    t.is(await home.ok(['run', ...flags, '--', 'sh', '-c', script], { env }), 'valuevaluevalue')
    t.is(await home.ok(['run', ...flags, '--', ...inner], { env }), 'valuevaluevalue')
  },
)

linux('a value that no variable could hold, and an empty one, are files', async (t) => {
  const big = Buffer.alloc(8 << 20, 'abcdefg')
  const { home } = await setUp(t, { big, empty: '' })
  const flags = ['--file', 'B=se://big', '--file', 'E=se://empty']
  const ended = await home.se(['run', ...flags, '--', 'sh', '-c', 'cat "$B" "$E"'])
  t.is(ended.stdout.compare(big), 0)
  t.is(ended.stderr, '')
})

linux(
  'the file is sealed, private, at a number that is in nobody’s way, and its name is that of the command',
  async (t) => {
    const { home } = await setUp(t, { key: 'value' })
    const started = startSe(home, [
      ...['run', '--file', 'F=se://key', '--file', 'G=se://key,mode=0440', '--'],
      ...['sh', '-c', 'echo "ready $$ $F $G"; read line; echo x > "$F"; cat "$F"'],
    ])
    const [, pid = '', first = '', second = ''] = await started.expect(/ready (\d+) (\S+) (\S+)\n/)
    t.is(Number(pid), started.child.pid ?? 0)
    t.is(first, `/proc/${pid}/fd/100`)
    t.is(second, `/proc/${pid}/fd/101`)
    t.is(statSync(first).mode & 0o7777, 0o400)
    t.is(statSync(second).mode & 0o7777, 0o440)
    t.regex(readlinkSync(first), /^\/memfd:/)
    started.send('\n')
    await started.end()
    t.regex(started.shown, /cannot create|not permitted/)
    t.regex(started.shown, /value/)
    t.false(existsSync(first))
  },
)

linux('masked, too, the file’s name is that of the command, and its value is masked', async (t) => {
  const { home } = await setUp(t, { key: 'a-secret-of-some-length' })
  const script = 'test "$F" = "/proc/$$/fd/100" && cat "$F" | wc -c; sh -c \'cat "$F" | rev | rev\''
  const text = await home.ok(['run', '--mask=always', '--file', 'F=se://key', '--', 'sh', '-c', script])
  t.regex(text, /^23\n/)
})

linux('a file at a path is there whole and private while the command runs, and never after', async (t) => {
  const { home, memory } = await setUp(t, { key: BINARY })
  const path = join(memory, 'key')
  const script = 'stat -c "%a %s" "$F" >&2; cat "$F"; exit 7'
  const ended = await home.se(['run', '--file', `F=se://key,path=${path}`, '--', 'sh', '-c', script])
  t.is(ended.stderr, '400 6\n')
  t.deepEqual(ended.stdout, BINARY)
  t.is(ended.status, 7)
  t.deepEqual(readdirSync(memory), [])
  t.deepEqual(readdirSync(join(home.folder, 'run/se-native/files')), [])
  const killed = await home.se(['run', '--file', `F=se://key,path=${path}`, '--', 'sh', '-c', 'kill -TERM $$'])
  t.is(killed.status, 'SIGTERM')
  t.deepEqual(readdirSync(memory), [])
})

linux('both kinds of file go together, each under the name that the command has for it', async (t) => {
  const { home, memory } = await setUp(t, { a: 'one', b: 'two' })
  const flags = ['--file', `P=se://a,path=${memory}/p,mode=0640`, '--file', 'M=se://b', '-e', 'V=se://a']
  t.is(
    await home.ok(['run', ...flags, '--', 'sh', '-c', 'cat "$P" "$M"; sh -c \'cat "$M"\'; echo "$V"']),
    'onetwotwoone\n',
  )
  t.deepEqual(readdirSync(memory), [])
})

asRoot('root may give a file away, and its owner alone reads it', async (t) => {
  const { home, memory } = await setUp(t, { key: 'value' })
  chmodSync(memory, 0o755)
  const as = ['setpriv', '--reuid=65533', '--regid=65533', '--clear-groups']
  const owned = `owner=65533:65533`
  const flags = ['--file', `P=se://key,path=${memory}/p,${owned}`, '--file', `M=se://key,${owned}`]
  t.is(await home.ok(['run', ...flags, '--', ...as, 'sh', '-c', 'cat "$P" "$M"']), 'valuevalue')
  const refused = await home.se(['run', '--file', `P=se://key,path=${memory}/p`, '--', ...as, 'sh', '-c', 'cat "$P"'])
  t.is(refused.status, 1)
  t.deepEqual(readdirSync(memory), [])
})

linux('when the command cannot be started, its files are gone again', async (t) => {
  const { home, memory } = await setUp(t, { key: 'value' })
  const flags = ['--file', `F=se://key,path=${memory}/key`]
  const ended = await home.se(['run', ...flags, '--', 'no-such-command'])
  t.is(ended.status, 127)
  t.regex(ended.stderr, /^se: command not found: no-such-command\n/)
  t.deepEqual(readdirSync(memory), [])
  t.deepEqual(readdirSync(join(home.folder, 'run/se-native/files')), [])
})

linux('everything that is wrong with files is in one report, and nothing is started or written', async (t) => {
  const { home, memory } = await setUp(t, { key: 'canary-3a77' })
  writeFileSync(join(memory, 'mine'), 'mine')
  const open = mkdtempSync('/dev/shm/se-files-')
  t.teardown(() => rmSync(open, { recursive: true }))
  chmodSync(open, 0o777)
  const files = [
    `A=se://key,path=${tmpdirOnDisk(t)}/key`,
    `B=se://key,path=${memory}/none/key`,
    `C=se://key,path=${memory}/mine`,
    `D=se://key,path=${open}/key`,
    'E=se://key,path=key,mode=0999,owner=,x=y',
    `F=se://key,path=${memory}/twice`,
    `G=se://key,path=${memory}//twice`,
    'A=se://key',
    'T=se://key',
    'H=canary-3a77',
    'I=se://none',
    'J=se://not//valid',
    'K=se://key,owner=no-such-user',
    `L=se://key,path=${memory}/${'a'.repeat(256)}`,
    'SE_PASSPHRASE=se://key',
    `O_FILE=se://key`,
  ]
  const flags = ['-e', 'T=se://key', '-e', 'V=se://none', ...files.flatMap((file) => ['--file', file])]
  const ended = await home.se(['run', ...flags, '--', 'touch', join(memory, 'started')])
  t.is(ended.status, 125)
  const problems = ended.stderr.split('\n').filter((line) => line.startsWith('se: '))
  const expected = [
    /^se: --file E: an option that is not known$/,
    /^se: --file E: path= is not absolute$/,
    /^se: --file E: mode= is no mode of a secret$/,
    /^se: --file E: owner= is no owner$/,
    /^se: --file G: path= is that of another --file$/,
    /^se: --file A: the variable is set by another --file as well$/,
    /^se: --file T: the variable is set by -e as well$/,
    /^se: --file H: REF begins with se:\/\/$/,
    /^se: --file SE_PASSPHRASE: SE_\*PASSPHRASE\* variables cannot be set$/,
    /^se: B: \/dev\/shm\/.*\/none cannot be opened: no such file or folder$/,
    /^se: C: \/dev\/shm\/.*\/mine is there already$/,
    /^se: D: everybody may replace files in \/dev\/shm\/se-files-\w+$/,
    /^se: K: there is no user no-such-user$/,
    /^se: L: \/dev\/shm\/.*\/a{256} cannot be written: file name too long$/,
    /^se: V: no secret is found for se:\/\/none$/,
    /^se: I: no secret is found for se:\/\/none$/,
    /^se: J: /,
  ]
  t.is(problems.length, expected.length, ended.stderr)
  for (const pattern of expected)
    t.true(
      problems.some((problem) => pattern.test(problem)),
      `${pattern}: ${ended.stderr}`,
    )
  t.false(ended.stderr.includes('canary-3a77'))
  t.deepEqual(readdirSync(memory), ['mine'])
  t.false(existsSync(join(home.folder, 'run/se-native/files')))
  t.is(readFileSync(join(memory, 'mine'), 'utf8'), 'mine')
})

linux('a path on a disk is refused with a folder in memory, by --dry-run too', async (t) => {
  const { home } = await setUp(t, { key: 'value' })
  for (const dry of [[], ['--dry-run']]) {
    const ended = await home.se(['run', ...dry, '--file', `F=se://key,path=${tmpdirOnDisk(t)}/key`, '--', 'true'])
    t.is(ended.status, 125)
    t.regex(
      ended.stderr,
      /^se: F: \/.* is on a disk, where a secret would leave traces\nhint: give it a path in \/\S+\n/,
    )
  }
})

asRoot('a folder that another group may write to is refused, one of the own group is not', async (t) => {
  const { home, memory } = await setUp(t, { key: 'value' })
  const run = () => home.se(['run', '--file', `F=se://key,path=${memory}/key`, '--', 'sh', '-c', 'cat "$F"'])
  chmodSync(memory, 0o770)
  t.is((await run()).stdout.toString(), 'value')
  chownSync(memory, 0, 65533)
  const refused = await run()
  t.is(refused.status, 125)
  t.regex(refused.stderr, /^se: F: another group may replace files in \/dev\/shm\/\S+\nhint: /)
  chmodSync(memory, 0o1770)
  t.is((await run()).stdout.toString(), 'value')
})

linux('when the command ends its file goes, though what it started runs on', async (t) => {
  const { home, memory } = await setUp(t, { key: 'value' })
  const work = join(home.folder, 'work')
  execFileSync('mkfifo', [join(work, 'go')])
  const go = openSync(join(work, 'go'), 'r+') // for both, so that it waits for nobody
  t.teardown(() => closeSync(go))
  const late = '(read a < go; cat "$M" || cat /proc/self/fd/100; test -e "$P" || echo " gone") > late 2> errors &'
  const flags = ['--file', `P=se://key,path=${memory}/key`, '--file', 'M=se://key']
  t.is(await home.ok(['run', ...flags, '--', 'sh', '-c', `${late} cat "$P"`]), 'value')
  t.deepEqual(readdirSync(memory), [])
  // The file in memory is there as long as somebody has it, though its path, which names the command, leads nowhere.
  writeSync(go, '\n')
  await until('the last process writes', () => readFileSync(join(work, 'late'), 'utf8').endsWith('\n'))
  t.is(readFileSync(join(work, 'late'), 'utf8'), 'value gone\n')
})

linux('--dry-run shows files, and makes none', async (t) => {
  const { home, memory } = await setUp(t)
  const flags = [
    ...['--file', 'A=se://a', '--file', `B=se://b,path=${memory}/b,mode=0440,owner=root`],
    ...['-e', 'C_FILE=se://c', '-e', 'D=se://d'],
  ]
  const text = await home.ok(['run', '--dry-run', ...flags, '--', 'touch', join(memory, 'started')])
  const lines = [
    'C_FILE=se://c (-e, as a file in memory)',
    'D=se://d (-e)',
    'A=se://a (--file, as a file in memory)',
    `B=se://b (--file, as ${memory}/b, mode 0440, owner root)`,
  ]
  t.is(text, `${lines.join('\n')}\n`)
  t.deepEqual(readdirSync(memory), [])
})

linux('after a SIGKILL the watcher removes the file, and it holds no secret itself', async (t) => {
  const canary = Canary.random()
  const { home, memory } = await setUp(t, { key: canary.text })
  const started = startSe(home, [
    ...['run', '--file', `F=se://key,path=${memory}/key`, '--'],
    ...['sh', '-c', 'echo "ready $$"; read line'],
  ])
  const [, command = ''] = await started.expect(/ready (\d+)\n/)
  const parent = started.child.pid as number
  const watcher = childrenOf(parent).find((pid) => pid !== Number(command)) as number
  t.deepEqual(canaryInMemory(canary, watcher), [])
  t.deepEqual(canaryInMemory(canary, parent, 'dumped'), [])
  t.is(readFileSync(`/proc/${watcher}/environ`).length, 0)
  t.is(canary.foundIn(readFileSync(`/proc/${watcher}/cmdline`)), undefined)
  for (const fd of readdirSync(`/proc/${watcher}/fd`)) {
    t.regex(readlinkSync(`/proc/${watcher}/fd/${fd}`), /^\/dev\/null$|\/run\/se-native\/files\/[0-9a-f]{16}$/)
  }
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.kill(watcher, signal)
  t.is(readFileSync(join(memory, 'key'), 'utf8'), canary.text)
  process.kill(parent, 'SIGKILL')
  await until('the file goes', () => !existsSync(join(memory, 'key')))
  await until('the note goes', () => readdirSync(join(home.folder, 'run/se-native/files')).length === 0)
  await until('the watcher ends', () => !isRunning(watcher))
})

linux('what is left when the watcher is killed as well goes at the next start, and nothing else does', async (t) => {
  const { home, memory } = await setUp(t, { key: 'value' })
  const running = ['left', 'replaced'].map((name) =>
    startSe(home, [
      ...['run', '--file', `F=se://key,path=${memory}/${name}`, '--'],
      ...['sh', '-c', 'echo ready; read line'],
    ]),
  )
  for (const started of running) await started.expect(/ready\n/)
  for (const started of running) {
    const parent = started.child.pid as number
    process.kill(parent, 'SIGSTOP') // else it would see the command end, and remove the file
    for (const pid of [...childrenOf(parent), parent]) process.kill(pid, 'SIGKILL')
    await started.end()
  }
  t.deepEqual(readdirSync(memory).sort(), ['left', 'replaced'])
  rmSync(join(memory, 'replaced'))
  writeFileSync(join(memory, 'replaced'), 'theirs')
  await home.ok(['run', '--file', 'F=se://key', '--', 'true'])
  t.deepEqual(readdirSync(memory), ['replaced'])
  t.is(readFileSync(join(memory, 'replaced'), 'utf8'), 'theirs')
  t.deepEqual(readdirSync(join(home.folder, 'run/se-native/files')), [])
})

linux('a SIGKILL at any instant leaves no value in any folder', async (t) => {
  const canary = Canary.random()
  const { home, memory } = await setUp(t, { key: canary.text })
  const flags = ['--file', `P=se://key,path=${memory}/key`, '--file', 'M=se://key']
  const script = 'cat "$P" "$M" > /dev/null; exec sleep 60'
  const shared = (): string[] =>
    ['/tmp', '/dev/shm'].flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
  const before = new Set(shared())
  for (let round = 0; round < 25; round++) {
    const child = spawn(process.execPath, [cli, 'run', ...flags, '--', 'sh', '-c', script], {
      env: home.env,
      cwd: join(home.folder, 'work'),
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const closed = once(child, 'close')
    await new Promise((resolve) => setTimeout(resolve, Math.random() * (round % 2 === 0 ? 1000 : 300)))
    child.kill('SIGKILL')
    t.deepEqual(await closed, [null, 'SIGKILL'])
    await until('the file goes', () => readdirSync(memory).length === 0)
    t.deepEqual(canaryInFiles(canary, home.folder), [])
  }
  const added = shared().filter((path) => !before.has(path) && basename(path).startsWith('se-'))
  for (const path of added) t.deepEqual(inFolder(canary, path), [])
  // A kill between the note and the start of its watcher leaves a note of nothing.
  await home.ok(['run', '--file', 'M=se://key', '--', 'true'])
  await until('every watcher ends', () => readdirSync(join(home.folder, 'run/se-native/files')).length === 0)
})

withSsh('ssh-keygen takes a key at a path', async (t) => {
  const { home, memory } = await setUp(t)
  const key = join(home.folder, 'key')
  t.is(spawnSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', key]).status, 0)
  await home.ok(['set', 'ssh', '--verbatim'], { stdin: readFileSync(key) })
  const flags = ['--file', `KEY=se://ssh,path=${memory}/id`]
  const text = await home.ok(['run', ...flags, '--', 'sh', '-c', 'ssh-keygen -y -f "$KEY"'])
  t.is(text.split(' ')[1], readFileSync(`${key}.pub`, 'utf8').split(' ')[1])
})

withAge('age takes an identity that is in memory', async (t) => {
  const { home } = await setUp(t)
  const key = spawnSync('age-keygen', []).stdout.toString()
  await home.ok(['set', 'age', '--verbatim'], { stdin: key })
  const [, recipient = ''] = /public key: (\S+)/.exec(key) ?? []
  const sealed = spawnSync('age', ['-r', recipient], { input: 'hello' }).stdout
  const ended = await home.se(['run', '-e', 'AGE_FILE=se://age', '--', 'sh', '-c', 'age -d -i "$AGE_FILE"'], {
    stdin: sealed,
  })
  t.is(ended.stdout.toString(), 'hello', ended.stderr)
})

/** A folder that is not in memory. */
function tmpdirOnDisk(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'se-files-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  return folder
}

function childrenOf(pid: number): number[] {
  return (readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').match(/\d+/g) ?? []).map(Number)
}

function isRunning(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}

/** Other tests make and remove folders meanwhile. */
function inFolder(canary: Canary, folder: string): string[] {
  try {
    return canaryInFiles(canary, folder)
  } catch {
    return []
  }
}
