// `se run --mask` on a terminal when one of its processes is killed at any instant: no value and no process is left. And
// what those processes hold while they run.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Canary, canaryInFiles, canaryInMemory } from '../helpers/canary.js'
import { startDaemon } from '../helpers/daemon.js'
import { checkLauncher, launcher } from '../helpers/launcher.js'
import { canBecomeAnother } from '../helpers/programs.js'
import { OnPty, processOf, untilGone } from '../helpers/pty.js'
import { checkBundle, cli, createFileHome, type Home } from '../helpers/se.js'

const linux = process.platform === 'linux' ? test.serial : test.serial.skip
// Only root looks into all of them.
const asRoot = canBecomeAnother() ? linux : test.serial.skip
const FILE = `/dev/shm/se-killed-${process.pid}`

/** Writes a value for ever, on a terminal and from a grandchild. */
const TALKER = [
  'bash',
  '-c',
  'echo "ready $$ $PPID end"; sleep 1000 & while :; do echo "$X"; cat "${P:-/dev/null}"; done',
]

/** What takes root's own rights: one that is only the same user sees nothing of a process that cannot be dumped. */
const WITHOUT_RIGHTS = ['setpriv', '--bounding-set=-all', '--inh-caps=-all']

test.before(() => {
  checkBundle()
  checkLauncher()
})

async function setUp(t: ExecutionContext): Promise<{ home: Home; canary: Canary }> {
  const home = await createFileHome((fn) => t.teardown(fn))
  const canary = Canary.random()
  await home.ok(['set', 'key', '--verbatim'], { stdin: canary.text })
  return { home, canary }
}

/** A command on a terminal, below `se run`. */
function start(
  t: ExecutionContext,
  home: Home,
  flags: readonly string[],
  command: readonly string[],
  { front = [], program = [process.execPath, cli] }: { front?: readonly string[]; program?: readonly string[] } = {},
): OnPty {
  const argv = [...front, ...program, 'run', ...flags, '-e', 'X=se://key', '--', ...command]
  const started = new OnPty(argv, home.env, { cwd: join(home.folder, 'work') })
  t.teardown(() => started.child.kill('SIGKILL'))
  return started
}

/** Waits for something that tells nobody when it comes. */
async function until<T>(what: string, look: () => T | undefined | false): Promise<T> {
  for (const end = Date.now() + 60_000; Date.now() < end; ) {
    const found = look()
    if (found !== undefined && found !== false) return found
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  throw new Error(`it did not come: ${what}`)
}

/** The first child of a process. */
function childOf(pid: number): number | undefined {
  try {
    const [first] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').match(/\d+/g) ?? []
    return first === undefined ? undefined : Number(first)
  } catch {
    return undefined
  }
}

/** The processes that have to do with a home: they work in its folder, or have it in their arguments. */
function processesOf({ folder }: Home, except = 0): string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name) || [process.pid, except].includes(Number(name))) return false
    try {
      const place = readlinkSync(`/proc/${name}/cwd`)
      return place.startsWith(folder) || readFileSync(`/proc/${name}/cmdline`, 'latin1').includes(folder)
    } catch {
      return false // it has gone, or is another user's
    }
  })
}

const FOLDERS = ['/tmp', '/dev/shm']

/** Every place where a value must not be left: the home, and what came to the folders that all share. */
function placesOf(home: Home): (canary: Canary) => string[] {
  const shared = (): string[] => FOLDERS.flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
  const before = new Set(shared())
  return (canary) => [
    ...canaryInFiles(canary, home.folder),
    ...shared()
      .filter((path) => !before.has(path) && basename(path).startsWith('se-'))
      .flatMap((path) => inPath(canary, path)),
  ]
}

/** Which process is killed, with which flags, and within how many milliseconds of its start. */
const killed: readonly (readonly [who: string, flags: readonly string[], within: number])[] = [
  // It has to start and resolve first: in JavaScript, and natively through a daemon.
  ['parent', ['--mask', `--file=P=se://key,path=${FILE}`], 700],
  ['native parent', ['--mask', `--file=P=se://key,path=${FILE}`], 50],
  ['native program', [], 20],
  ['monitor', ['--mask'], 60],
  ['command', ['--mask'], 60],
]
for (const [who, flags, within] of killed) {
  linux(`a SIGKILL of the ${who} at any instant leaves no value in any folder, and no process`, async (t) => {
    const { home, canary } = await setUp(t)
    const isNative = who.startsWith('native')
    const daemon = isNative ? await startDaemon(t, { home }) : undefined
    const left = placesOf(home)
    const rounds = isNative ? 12 : 6
    let killedWhileItRan = 0
    for (let round = 0; round < rounds; round++) {
      const started = start(t, home, flags, TALKER, isNative ? { program: [launcher] } : {})
      const first = await started.pid()
      let target = first
      if (who === 'monitor' || who === 'command') target = await until('the monitor', () => childOf(first))
      if (who === 'command') target = await until('the command', () => childOf(target))
      // From the first instant of it on, and every other time while it writes.
      if (round % 2 === 1) await started.expect(flags.length > 0 ? /\[se:\/\/key\]/ : /ready/)
      await new Promise((resolve) => setTimeout(resolve, Math.random() * within))
      if (round % 2 === 1 || /ready/.test(started.shown)) killedWhileItRan++
      process.kill(target, 'SIGKILL')
      t.is(await started.status(), 137)
      // Without a mask the terminal shows what the command writes.
      if (flags.length > 0) t.is(canary.foundIn(started.shown), undefined)
      await until('every process goes', () => processesOf(home, daemon?.pid).length === 0)
      t.deepEqual(left(canary), [])
      t.false(readdirSync('/dev/shm').includes(basename(FILE)))
    }
    t.log(`${killedWhileItRan} of ${rounds} while it wrote`)
  })
}

asRoot(
  'a SIGKILL of who pumps on after the command, at any instant, leaves no value anywhere, and no process',
  async (t) => {
    const { home, canary } = await setUp(t)
    const left = placesOf(home)
    const errors = join(home.folder, 'work/errors')
    const front = ['bash', '-c', 'exec "$@" 2> >(trap "" HUP; exec cat > errors 2>&1)', 'bash']
    // Who writes on does not mind a hang-up, and ends when nobody reads.
    const script = '(trap "" HUP; echo "ready end"; while echo "late $X" >&2; do :; done) & read a'
    for (let round = 0; round < 6; round++) {
      const started = start(t, home, ['--mask=always'], ['bash', '-c', script], { front })
      await started.expect(/ready end/)
      started.send('\n')
      t.is(await started.status(), 0)
      const pump = await until('somebody pumps on', () => processesOf(home).map(Number).find(isOurs))
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 60))
      process.kill(pump, 'SIGKILL')
      await until('every process goes', () => processesOf(home).length === 0)
      t.deepEqual(left(canary), [])
      t.regex(readFileSync(errors, 'utf8'), /^(late \[se:\/\/key\]\n){10}/)
    }
  },
)

asRoot('the monitor holds no value, and it, the parent and who pumps on show nothing to the same user', async (t) => {
  const { home, canary } = await setUp(t)
  t.is(spawnSync('mkfifo', [join(home.folder, 'work/go')]).status, 0)
  // Standard error is a pipe, and somebody who does not mind a hang-up writes there in the end.
  const front = [...WITHOUT_RIGHTS, 'bash', '-c', 'exec "$@" 2> >(trap "" HUP; exec cat > errors 2>&1)', 'bash']
  const script = '(trap "" HUP; echo "ready $$ $PPID end"; read a < go; echo "late $X" >&2) & read a'
  const started = start(t, home, ['--mask=always'], ['bash', '-c', script], { front })
  const [, command, monitor] = (await started.expect(/ready (\d+) (\d+) end/)).map(Number) as [number, number, number]
  const parent = processOf(monitor)?.parent as number
  t.deepEqual(canaryInMemory(canary, monitor), [])
  t.deepEqual(canaryInMemory(canary, parent, 'dumped'), [])
  for (const pid of [parent, monitor]) {
    t.is(canary.foundIn(readFileSync(`/proc/${pid}/environ`)), undefined)
    t.is(canary.foundIn(readFileSync(`/proc/${pid}/cmdline`)), undefined)
    t.false(showsItself(pid))
  }
  // What looks would find it: the command has it, and shows it.
  t.not(canaryInMemory(canary, command).length, 0)
  t.true(showsItself(command))
  started.send('\n')
  t.is(await started.status(), 0)
  const pump = await until('somebody pumps on', () => processesOf(home).map(Number).find(isOurs))
  t.deepEqual(canaryInMemory(canary, pump, 'dumped'), [])
  t.is(canary.foundIn(readFileSync(`/proc/${pump}/environ`)), undefined)
  t.false(showsItself(pump))
  writeFileSync(join(home.folder, 'work/go'), '\n')
  await untilGone(pump)
  await until('every process goes', () => processesOf(home).length === 0)
  t.is(readFileSync(join(home.folder, 'work/errors'), 'utf8'), 'late [se://key]\n')
})

asRoot('of what is typed, such as a passphrase, nothing stays in the processes that pass it on', async (t) => {
  const { home } = await setUp(t)
  const typed = Canary.random()
  const script = 'stty -echo; echo "ready $$ $PPID end"; read -r line; echo "got it"; read -r a'
  const started = start(t, home, ['--mask'], ['bash', '-c', script])
  const [, command, monitor] = (await started.expect(/ready (\d+) (\d+) end/)).map(Number) as [number, number, number]
  started.send(`${typed.text}\n`)
  await started.expect(/got it/)
  for (const pid of [await started.pid(), monitor]) t.deepEqual(canaryInMemory(typed, pid), [])
  t.not(canaryInMemory(typed, command).length, 0)
  started.send('\n')
  t.is(await started.status(), 0)
})

/** Whether another process of the same user may look into a process. */
function showsItself(pid: number): boolean {
  return spawnSync('setpriv', [...WITHOUT_RIGHTS.slice(1), 'cat', `/proc/${pid}/environ`]).status === 0
}

/** Whether a process runs the launcher, which stays as a parent. */
function isOurs(pid: number): boolean {
  try {
    return basename(readlinkSync(`/proc/${pid}/exe`)).startsWith('se.')
  } catch {
    return false // it has gone
  }
}

/** Other tests make and remove folders meanwhile. */
function inPath(canary: Canary, path: string): string[] {
  try {
    return canaryInFiles(canary, path)
  } catch {
    return []
  }
}
