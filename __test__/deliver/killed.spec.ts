// `se run --mask` on a terminal when one of its processes is killed at any instant: no value and no process is left. And
// what those processes hold while they run.
import { spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { Canary, canaryInFiles, canaryInMemory } from '../helpers/canary.js'
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

test.before(checkBundle)

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
  front: readonly string[] = [],
): OnPty {
  const argv = [...front, process.execPath, cli, 'run', ...flags, '-e', 'X=se://key', '--', ...command]
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

/** The processes that have to do with a folder: they work in it, or have it in their arguments. */
function processesOf(folder: string): string[] {
  return readdirSync('/proc').filter((name) => {
    if (!/^\d+$/.test(name) || name === String(process.pid)) return false
    try {
      const place = readlinkSync(`/proc/${name}/cwd`)
      return place.startsWith(folder) || readFileSync(`/proc/${name}/cmdline`, 'latin1').includes(folder)
    } catch {
      return false // it has gone, or is another user's
    }
  })
}

for (const [who, flags] of [
  ['parent', ['--mask', `--file=P=se://key,path=${FILE}`]],
  ['monitor', ['--mask']],
  ['command', ['--mask']],
] as const) {
  linux(`a SIGKILL of the ${who} at any instant leaves no value in any folder, and no process`, async (t) => {
    const { home, canary } = await setUp(t)
    const shared = (): string[] =>
      ['/tmp', '/dev/shm'].flatMap((folder) => readdirSync(folder).map((name) => join(folder, name)))
    const before = new Set(shared())
    let killedWhileItRan = 0
    for (let round = 0; round < 6; round++) {
      const started = start(t, home, flags, TALKER)
      const parent = await started.pid()
      let target = parent
      if (who !== 'parent') target = await until('the monitor', () => childOf(parent))
      if (who === 'command') target = await until('the command', () => childOf(target))
      // From the first instant of it on, and every other time while it writes.
      if (round % 2 === 1) await started.expect(/\[se:\/\/key\]/)
      // The parent has to start and resolve first.
      await new Promise((resolve) => setTimeout(resolve, Math.random() * (who === 'parent' ? 700 : 60)))
      if (started.shown.includes('[se://key]')) killedWhileItRan++
      process.kill(target, 'SIGKILL')
      t.is(await started.status(), 137)
      t.is(canary.foundIn(started.shown), undefined)
      await until('every process goes', () => processesOf(home.folder).length === 0)
      t.deepEqual(canaryInFiles(canary, home.folder), [])
      const added = shared().filter((path) => !before.has(path) && basename(path).startsWith('se-'))
      for (const path of added) t.deepEqual(inPath(canary, path), [])
      t.false(readdirSync('/dev/shm').includes(basename(FILE)))
    }
    t.log(`${killedWhileItRan} of 6 while it wrote`)
  })
}

asRoot('the monitor holds no value, and it, the parent and who pumps on show nothing to the same user', async (t) => {
  const { home, canary } = await setUp(t)
  t.is(spawnSync('mkfifo', [join(home.folder, 'work/go')]).status, 0)
  // Standard error is a pipe, and somebody who does not mind a hang-up writes there in the end.
  const front = [...WITHOUT_RIGHTS, 'bash', '-c', 'exec "$@" 2> >(trap "" HUP; exec cat > errors 2>&1)', 'bash']
  const script = '(trap "" HUP; echo "ready $$ $PPID end"; read a < go; echo "late $X" >&2) & read a'
  const started = start(t, home, ['--mask=always'], ['bash', '-c', script], front)
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
  const whoPumps = (): number => Number(processesOf(home.folder).find((pid) => isOurs(Number(pid))))
  await until('somebody pumps on', () => whoPumps() > 0)
  const pump = whoPumps()
  t.deepEqual(canaryInMemory(canary, pump, 'dumped'), [])
  t.is(canary.foundIn(readFileSync(`/proc/${pump}/environ`)), undefined)
  t.false(showsItself(pump))
  writeFileSync(join(home.folder, 'work/go'), '\n')
  await untilGone(pump)
  await until('every process goes', () => processesOf(home.folder).length === 0)
  t.is(readFileSync(join(home.folder, 'work/errors'), 'utf8'), 'late [se://key]\n')
})

/** Whether another process of the same user may look into a process. */
function showsItself(pid: number): boolean {
  return spawnSync('setpriv', [...WITHOUT_RIGHTS.slice(1), 'cat', `/proc/${pid}/environ`]).status === 0
}

/** Whether a process runs the launcher, which stays as a parent. */
const isOurs = (pid: number): boolean => basename(readlinkSync(`/proc/${pid}/exe`)).startsWith('se.')

/** Other tests make and remove folders meanwhile. */
function inPath(canary: Canary, path: string): string[] {
  try {
    return canaryInFiles(canary, path)
  } catch {
    return []
  }
}
