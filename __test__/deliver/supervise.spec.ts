// `se run` and `se run --mask` on a real terminal: what a person sees and what a command finds is the same for both, but
// for the secrets.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { canUnshare, hasProgram } from '../helpers/programs.js'
import { OnPty, processOf, untilGone } from '../helpers/pty.js'
import { checkBundle, cli, createHome, type Home } from '../helpers/se.js'
import { takeSignals } from '../helpers/start.js'

const SECRET = 'terminal-canary-91c4'
const linux = process.platform === 'linux' ? test.serial : test.serial.skip
const inPidNamespace = canUnshare('-pf', '--mount-proc') ? linux : test.serial.skip
const inMountNamespace = canUnshare('-m') ? linux : test.serial.skip
const se = `'${process.execPath}' '${cli}'`

/** A file in memory that is there while a command runs. */
const FILE = `/dev/shm/se-supervise-${process.pid}`

/** The ways in which a command runs, all of which must look alike. */
const MODES = { exec: [], masked: ['--mask'], file: [`--file=F=se://app/db,path=${FILE}`] } as const

/** Waits for a line that says `end`, in bash; signals that are caught end a `read`. */
const UNTIL_END = 'echo ready; while read -r line || [ $? -gt 128 ]; do [ "$line" = end ] && exit; done'

/** Waits, in bash, until a job is stopped: bash tells of it only when somebody asks. */
const UNTIL_STOPPED = 'until [ -n "$(jobs -s)" ]; do :; done; echo "stop""ped"\n'

/** What is in front of a command in each mode. */
type Front = readonly string[]

let home: Home
const removals: (() => void)[] = []

test.before(async () => {
  checkBundle()
  home = createHome((fn) => removals.push(fn))
  await home.ok(['store', 'use', 'file', '--key-file'])
  await home.ok(['set', 'app/db'], { stdin: SECRET })
  await home.ok(['set', 'app/pin'], { stdin: '1234' })
  await home.ok(['set', 'app/word'], { stdin: 'word' })
})
test.after.always(() => removals.forEach((remove) => remove()))

/** A command on a terminal, `se` in front of it. */
function onTerminal(t: ExecutionContext, front: Front, command: readonly string[], size = {}): OnPty {
  const argv = [process.execPath, cli, 'run', ...front, '-e', 'X=se://app/db', '--', ...command]
  const started = new OnPty(argv, env(), { ...size, cwd: join(home.folder, 'work') })
  t.teardown(() => stop(started))
  return started
}

/** Closes a terminal, and waits until its program has gone. */
async function stop(started: OnPty): Promise<void> {
  started.child.kill('SIGKILL')
  await untilGone(await started.pid())
}

/** An interactive bash on a terminal, without anybody's start-up files. `edits`: it sets the terminal for line editing. */
async function shell(t: ExecutionContext, { edits = false } = {}): Promise<OnPty> {
  const argv = ['/bin/bash', '--norc', '--noprofile', ...(edits ? [] : ['--noediting']), '-i']
  const bash = new OnPty(
    argv,
    { ...env(), INPUTRC: '/dev/null' },
    { rows: 33, columns: 99, cwd: join(home.folder, 'work') },
  )
  t.teardown(() => stop(bash))
  await bash.expect(/[#$] $/)
  bash.send("PS1='pro''mpt> '\n")
  await bash.expect(/prompt> /)
  return bash
}

function env(): NodeJS.ProcessEnv {
  return { ...home.env, TERM: 'xterm', PS1: '$ ', HISTFILE: '' }
}

/** The same test for every mode. Afterwards no file is left. */
function eachMode(
  title: string,
  body: (t: ExecutionContext, front: Front) => Promise<void>,
  { needs = [] }: { needs?: readonly string[] } = {},
): void {
  const run = needs.every(hasProgram) ? linux : test.serial.skip
  for (const [mode, front] of Object.entries(MODES)) {
    run(`${mode}: ${title}`, (t) => {
      // Registered first, so that it comes last: when everything that was started has gone.
      t.teardown(() => until('the file goes', () => !existsSync(FILE)))
      return body(t, front)
    })
  }
}

/** Waits for something that tells nobody when it comes. */
async function until(what: string, isSo: () => boolean): Promise<void> {
  for (const end = Date.now() + 60_000; !isSo(); ) {
    if (Date.now() > end) throw new Error(`it did not come: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

const isMasked = (front: Front): boolean => front === MODES.masked

const flags = (front: Front): string => front.join(' ')

eachMode('the command has a terminal of that size and those settings', async (t, front) => {
  const direct = new OnPty(['stty', '-a'], env(), { rows: 33, columns: 99 })
  t.is(await direct.status(), 0)
  const started = onTerminal(t, front, ['sh', '-c', 'test -t 0 && test -t 1 && test -t 2 && stty -a; : >/dev/tty'], {
    rows: 33,
    columns: 99,
  })
  t.is(await started.status(), 0)
  t.regex(direct.shown, /rows 33; columns 99/)
  t.is(started.shown, direct.shown)
})

eachMode('statuses and deaths are the command’s', async (t, front) => {
  const bash = await shell(t)
  bash.send('ulimit -c unlimited\n')
  await bash.expect(/prompt> /)
  const cases: [script: string, status: number][] = [
    ['exit 0', 0],
    ['exit 3', 3],
    ['exit 255', 255],
    ...([1, 2, 3, 6, 9, 10, 11, 13, 14, 15] as const).map((n): [string, number] => [`kill -${n} $$`, 128 + n]),
  ]
  for (const [script, status] of cases) {
    // On a line of its own: bash leaves a line of which a command died by SIGINT.
    bash.send(`${se} run ${flags(front)} -- sh -c 'ulimit -c 0; ${script}'\n`)
    await bash.expect(/prompt> /)
    bash.send('echo "sta""tus $?"\n')
    const [, seen] = await bash.expect(/status (\d+)\r\nprompt> /)
    t.is(Number(seen), status, script)
  }
  for (const [word, status, message] of [
    ['no-such-command', 127, /se:\S* command not found: no-such-command\r\n/],
    ['/etc/passwd', 126, /se:\S* \/etc\/passwd cannot be executed: permission denied\r\n/],
  ] as const) {
    bash.send(`${se} run ${flags(front)} -- ${word}; echo "sta""tus $?"\n`)
    await bash.expect(message)
    const [, seen] = await bash.expect(/status (\d+)\r\nprompt> /)
    t.is(Number(seen), status)
  }
  t.deepEqual(
    readdirSync(join(home.folder, 'work')).filter((name) => name.startsWith('core')),
    [],
  )
  bash.send('exit\n')
  t.is(await bash.status(), 0)
})

eachMode('Ctrl-C and Ctrl-\\ arrive once', async (t, front) => {
  const script = `trap "echo int" INT; trap "echo quit" QUIT; ${UNTIL_END}`
  const started = onTerminal(t, front, ['bash', '-c', script])
  await started.expect(/ready\r\n/)
  started.send('\x03')
  await started.expect(/int\r\n/)
  started.send('\x1c')
  await started.expect(/quit\r\n/)
  started.send('end\n')
  t.is(await started.status(), 0)
  t.notRegex(started.shown, /int|quit/)
})

eachMode('Ctrl-C ends a command that does not catch it, and the caller sees that', async (t, front) => {
  const bash = await shell(t)
  bash.send(`${se} run ${flags(front)} -- sh -c 'echo ready; exec cat'\n`)
  await bash.expect(/ready\r\n/)
  bash.send('\x03')
  await bash.expect(/prompt> /)
  bash.send('echo "sta""tus $?"\n')
  t.truthy(await bash.expect(/status 130\r\n/))
})

eachMode('Ctrl-Z, bg and fg: a shell has a job, with its terminal as it was', async (t, front) => {
  const bash = await shell(t)
  bash.send(`${se} run ${flags(front)} -- bash -c 'stty -echo; echo ready; read a; echo "read $a"; stty echo'\n`)
  await bash.expect(/ready\r\n/)
  const before = await bash.look()
  bash.send('\x1a')
  await bash.expect(/Stopped/)
  await bash.expect(/prompt> /)
  const stopped = await bash.look()
  t.not(stopped.foreground, before.foreground)
  t.true(stopped.canonical && stopped.signals && stopped.output)
  bash.send('bg\n')
  await bash.expect(/&/)
  await bash.expect(/prompt> /)
  bash.send(UNTIL_STOPPED)
  await bash.expect(/stopped\r\n/)
  bash.send('stty echo; fg\n')
  await bash.expect(/fg/)
  await bash.lookUntil(({ foreground }) => foreground === before.foreground)
  bash.send('again\n')
  await bash.expect(/\nread again\r\n/)
  await bash.expect(/prompt> /)
})

eachMode(
  'a job that is started in the background runs, is stopped when it reads, and comes to the foreground',
  async (t, front) => {
    const bash = await shell(t)
    bash.send(`${se} run ${flags(front)} -- sh -c 'echo "from be""hind"; read a; echo "read $a"' &\n`)
    await bash.expect(/from behind\r\n/)
    const { canonical, echo } = await bash.look()
    t.true(canonical && echo)
    bash.send(UNTIL_STOPPED)
    await bash.expect(/stopped\r\n/)
    bash.send('fg\n')
    await bash.expect(/fg\r\n/)
    bash.send('now\n')
    await bash.expect(/\nread now\r\n/)
    await bash.expect(/prompt> /)
  },
)

/** What a terminal is set to, as `stty` tells it. */
const settingsOf = (terminal: string): string => execFileSync('stty', ['-a', '-F', terminal], { encoding: 'utf8' })

/** Starts a masked script in the background, while bash edits a line. Answers with its group and the terminal that it has. */
async function startBehindEditor(
  t: ExecutionContext,
  bash: OnPty,
  script: string,
): Promise<{ group: number; terminal: string }> {
  const work = join(home.folder, 'work')
  for (const name of ['begin', 'go']) {
    execFileSync('mkfifo', [join(work, name)])
    t.teardown(() => rmSync(join(work, name)))
  }
  writeFileSync(join(work, 'script'), script)
  bash.send(`{ read a < begin; exec ${se} run --mask -- sh ./script; } &\r`)
  const [, group] = await bash.expect(/\[1\] (\d+)\r\n/)
  await bash.lookUntil(({ canonical }) => !canonical)
  writeFileSync(join(work, 'begin'), '\n')
  const [, terminal = ''] = await bash.expect(/ready (\S+) end/)
  t.regex(settingsOf(terminal), /\sicrnl\s[^]*\s-ixany\s[^]*\sicanon\s[^]*\secho\s/)
  return { group: Number(group), terminal }
}

linux('a job that is started while the shell edits a line has a terminal for lines in the foreground', async (t) => {
  const bash = await shell(t, { edits: true })
  const script = 'echo "ready $(tty) end"; read a < go; read x; echo "got $x"; read y; echo "and $y"'
  const { group, terminal } = await startBehindEditor(t, bash, script)
  // Nobody tells a job that runs of its foreground: the command is stopped when it reads.
  bash.send('stty ixany; fg\r')
  await bash.lookUntil(({ foreground }) => foreground === group)
  await bash.resize(44, 111)
  writeFileSync(join(home.folder, 'work/go'), '\n')
  await bash.lookUntil(({ signals }) => !signals)
  t.regex(settingsOf(terminal), /\sicrnl\s[^]*\sixany\s[^]*\sicanon\s[^]*\secho\s/)
  bash.send('hey\r')
  await bash.expect(/hey\r\ngot hey\r\n/)
  t.regex(settingsOf(terminal), /rows 44; columns 111/)
  // From now on its settings are its own, whatever the shell's are.
  bash.send('\x1a')
  await bash.expect(/Stopped[^]*prompt> /)
  bash.send('stty -ixany; fg\r')
  await bash.lookUntil(({ signals }) => !signals)
  t.regex(settingsOf(terminal), /\sixany\s/)
  bash.send('you\r')
  await bash.expect(/you\r\nand you\r\n/)
  await bash.expect(/prompt> /)
})

linux('a job that has set its terminal in the background keeps that in the foreground', async (t) => {
  const bash = await shell(t, { edits: true })
  const script = `trap '' TTOU; stty intr ^A; trap - TTOU; echo "ready $(tty) end"; read a < go; kill -STOP $$; read x`
  const { terminal } = await startBehindEditor(t, bash, script)
  writeFileSync(join(home.folder, 'work/go'), '\n')
  bash.send(UNTIL_STOPPED.replace('\n', '\r'))
  await bash.expect(/stopped\r\n/)
  bash.send('stty ixany; fg\r')
  await bash.lookUntil(({ signals }) => !signals)
  t.regex(settingsOf(terminal), /\sintr = \^A;[^]*\s-ixany\s/)
  bash.send('\x01')
  t.truthy(await bash.expect(/prompt> /))
})

linux('a prompt for a password, in a job that was started while the shell edits a line, ends with Enter', async (t) => {
  const bash = await shell(t, { edits: true })
  const script = 'echo "ready $(tty) end"; read a < go; exec bash -c \'read -rsp "Pass""word: " x; echo "${#x} bytes"\''
  const { group, terminal } = await startBehindEditor(t, bash, script)
  bash.send('fg\r')
  await bash.lookUntil(({ foreground }) => foreground === group)
  writeFileSync(join(home.folder, 'work/go'), '\n')
  await bash.expect(/Password: $/)
  await until('what is typed is not shown', () => /\s-echo\s/.test(settingsOf(terminal)))
  bash.send('hunter2hunter2\r')
  const [shown] = await bash.expect(/^[^]*14 bytes\r\n/)
  t.notRegex(shown, /hunter/)
  await bash.expect(/prompt> /)
})

const SIZES = `
import os, signal
def tell(*_):
    os.write(1, b"%d %d\\n" % os.get_terminal_size(1)[::-1])
signal.signal(signal.SIGWINCH, tell)
os.write(1, b"ready\\n")
os.read(0, 1)
`

eachMode('a new size is the command’s at once', async (t, front) => {
  const started = onTerminal(t, front, ['python3', '-c', SIZES])
  await started.expect(/ready\r\n/)
  for (const [rows, columns] of [
    [40, 120],
    [10, 20],
  ] as const) {
    await started.resize(rows, columns)
    await started.expect(new RegExp(`${rows} ${columns}\r\n`))
  }
  started.send('end\n')
  t.is(await started.status(), 0)
})

const RAW = `
import os, sys, termios, tty
before = termios.tcgetattr(0)
tty.setraw(0)
os.write(1, b"raw\\r\\n")
seen = b""
while not seen.endswith(b"q"):
    seen += os.read(0, 100)
termios.tcsetattr(0, termios.TCSADRAIN, before)
print(seen.hex())
`

eachMode('an editor’s raw mode gets every key as it is', async (t, front) => {
  const started = onTerminal(t, front, ['python3', '-c', RAW])
  await started.expect(/raw\r\n/)
  const keys = '\x03\x1a\x1c\x11\x13\x04\x16\r\n\x7f\x00\x1b[A\xc3\xa9q'
  started.send(keys)
  await started.expect(new RegExp(`${Buffer.from(keys).toString('hex')}\r\n`))
  t.is(await started.status(), 0)
})

eachMode(
  'vi edits a file, and less pages',
  async (t, front) => {
    const file = join(home.folder, 'work', `edited${front.length}`)
    writeFileSync(file, 'one\n')
    const vi = onTerminal(t, front, ['vi', '-u', 'NONE', '-N', file])
    await vi.expect(/one/)
    vi.send('otwo\x1b:wq\r')
    t.is(await vi.status(), 0)
    t.is(readFileSync(file, 'utf8'), 'one\ntwo\n')
    writeFileSync(file, Array.from({ length: 200 }, (_, index) => `line ${index} end\n`).join(''))
    for (const script of ['less "$0"', 'cat "$0" | less']) {
      const less = onTerminal(t, front, ['sh', '-c', script, file])
      await less.expect(/line 20 end/)
      less.send('G')
      await less.expect(/line 199 end/)
      less.send('q')
      t.is(await less.status(), 0)
    }
    const bash = await shell(t)
    bash.send(`${se} run ${flags(front)} -- cat ${file} | less\n`)
    await bash.expect(/line 20 end/)
    bash.send('G')
    await bash.expect(/line 199 end/)
    bash.send('q')
    await bash.expect(/prompt> /)
  },
  { needs: ['vi', 'less'] },
)

/** Becomes a program when something that was typed can be read, which it leaves where it is. */
const WHEN_TYPED = `
import os, select, sys
os.write(1, b"type")
select.select([0], [], [])
os.execvp(sys.argv[1], sys.argv[1:])
`

/** Shows twice what comes up to an end of input. */
const UNTIL_ENDS = `for i in 1 2; do echo "<$i:$(od -An -c | tr -d ' \\n'):$i>"; done`

for (const [what, typed, first, later, second] of [
  ['nothing', '\x04', '', 'x\n\x04', 'x\\n'],
  ['a line', 'one\n\x04', 'one\\n', '\x04', ''],
  ['a line without an end', 'on\x04\x04', 'on', '\x04', ''],
  ['lines, with more behind it', 'one\ntwo\n\x04three\nfo', 'one\\ntwo\\n', 'ur\n\x04', 'three\\nfour\\n'],
  ['another end', '\x04\x04', '', '', ''],
  ['a NUL', 'a\0b\n\x04', 'a\\0b\\n', '\x04', ''],
  ['a line, as another key', 'a\x04b\n\x07', 'a004b\\n', '\x07', ''],
] as const) {
  eachMode(`an end of input that is typed early, behind ${what}, is one`, async (t, front) => {
    const program = [process.execPath, cli, 'run', ...front, '--', 'bash', '-c', UNTIL_ENDS]
    const key = typed.includes('\x07') ? '^G' : '^D'
    const starts = ['sh', '-c', `stty eof ${key}; exec "$@"`, 'sh', 'python3', '-c', WHEN_TYPED]
    const started = new OnPty([...starts, ...program], env(), { cwd: join(home.folder, 'work') })
    t.teardown(() => stop(started))
    await started.expect(/type/)
    started.send(typed)
    t.is((await started.expect(/<1:(.*):1>/))[1], first)
    started.send(later)
    t.is((await started.expect(/<2:(.*):2>/))[1], second)
    t.is(await started.status(), 0)
  })
}

eachMode('an end of input that is typed before a stopped command has the terminal again is one', async (t, front) => {
  const bash = await shell(t)
  bash.send(`${se} run ${flags(front)} -- bash -c 'echo ready; while read -r a; do echo "<$a>"; done; echo "e""nd"'\n`)
  await bash.expect(/ready\r\n/)
  bash.send('\x1a')
  await bash.expect(/Stopped/)
  await bash.expect(/prompt> /)
  bash.send('fg\nline\n\x04')
  await bash.expect(/<line>\r\n/)
  await bash.expect(/end\r\n/)
  t.truthy(await bash.expect(/prompt> /))
})

eachMode('a password prompt without a line end appears at once, and what is typed does not', async (t, front) => {
  const started = onTerminal(t, front, [
    'bash',
    '-c',
    'read -r -s -p "Password: " a </dev/tty; echo; echo "${#a} bytes"',
  ])
  await started.expect(/Password: $/)
  started.send('hunter2hunter2\n')
  const [shown] = await started.expect(/^\r\n14 bytes\r\n/)
  t.notRegex(shown, /hunter/)
  t.is(await started.status(), 0)
})

eachMode('a program in a pipeline asks at the terminal, though its streams lead elsewhere', async (t, front) => {
  const bash = await shell(t)
  bash.send(
    `echo piped | ${se} run ${flags(front)} -- bash -c 'read a; read -r -s -p "Pass""word: " b </dev/tty; echo "$a $b"' | cat\n`,
  )
  await bash.expect(/Password: /)
  await bash.lookUntil(({ echo }) => !echo)
  bash.send('typed\n')
  await bash.expect(/piped typed\r\n/)
  await bash.expect(/prompt> /)
  t.true((await bash.look()).echo)
})

eachMode('the terminal’s settings are the same before and after, however the command ends', async (t, front) => {
  const bash = await shell(t)
  for (const end of ['exit 1', 'kill -TERM $$', 'kill -KILL $$', 'stty raw -echo; kill -KILL $$']) {
    // Without masking, the command has the terminal itself, and whatever it does there stays.
    if (!isMasked(front) && end.startsWith('stty')) continue
    bash.send(`A=$(stty -g); ${se} run ${flags(front)} -- sh -c '${end}'; [ "$A" = "$(stty -g)" ] && echo "sa""me"\n`)
    t.truthy(await bash.expect(/\nsame\r\n/))
    await bash.expect(/prompt> /)
  }
})

eachMode('a terminal that closes ends the command, and leaves nothing', async (t, front) => {
  const started = onTerminal(t, front, ['bash', '-c', 'echo "ready $$ end"; read a'])
  const [, pid] = await started.expect(/ready (\d+) end/)
  const leader = await started.pid()
  await started.hangUp()
  await untilGone(leader, Number(pid))
  t.pass()
})

eachMode('a reader that goes away ends a writer quietly', async (t, front) => {
  const bash = await shell(t)
  bash.send(`${se} run ${flags(front)} -- yes | head -n1; echo "\${PIPESTATUS[*]}"\n`)
  await bash.expect(/\ny\r\n141 0\r\nprompt> /)
  const always = isMasked(front) ? '--mask=always' : flags(front)
  bash.send(`${se} run ${always} -- yes | head -n1; echo "\${PIPESTATUS[*]}"\n`)
  t.truthy(await bash.expect(/\ny\r\n141 0\r\n/))
})

eachMode('every signal that is sent to the process reaches the command once', async (t, front) => {
  const started = onTerminal(t, front, takeSignals)
  await started.expect(/ready\r\n/)
  const { KILL, STOP, TTIN, TTOU } = { KILL: 9, STOP: 19, TTIN: 21, TTOU: 22 }
  const standard = Array.from({ length: 31 }, (_, index) => index + 1)
  // 34 is one of the C library's own in a program that is linked with musl, as the parent is where it can be.
  const realTime = Array.from({ length: 30 }, (_, index) => index + 35)
  for (const number of [...standard, ...realTime].filter((number) => ![KILL, STOP, TTIN, TTOU].includes(number))) {
    process.kill(await started.pid(), number)
    const [, seen] = await started.expect(/(\d+)\r\n/)
    t.is(Number(seen), number)
  }
  started.send('\x04')
  t.is(await started.status(), 0)
  t.is(started.shown, '')
})

const masked = (t: ExecutionContext, script: string, mask = '--mask'): OnPty =>
  onTerminal(t, [mask], ['bash', '-c', script])

linux(
  'a value is masked on every way to the terminal, split over writes and coloured; the rest is the same bytes',
  async (t) => {
    const script =
      `printf '\\033[31mred\\033[0m '; echo "out $X"; echo "err $X" >&2; echo "tty $X" >/dev/tty; ` +
      `printf '%s' "\${X:0:5}"; printf '%s\\n' "\${X:5}"; printf "$X" | base64; printf 'prompt without end: '; read a`
    const started = masked(t, script)
    const [shown] = await started.expect(/^[^]*prompt without end: $/)
    t.notRegex(shown, /canary|dGVybWluYWw/)
    t.is(shown.split('[se://app/db]').length, 6)
    t.true(shown.includes('\x1b[31mred\x1b[0m out [se://app/db]\r\n'))
    started.send('\n')
    t.is(await started.status(), 0)
  },
)

linux(
  'pipes are masked with always, and where CI is set; each stream by itself, in its order where both lead to one',
  async (t) => {
    const script = 'for i in 1 2 3; do echo "out$i $X"; echo "err$i $X" >&2; done'
    const run = (mask: string, more: NodeJS.ProcessEnv = {}) =>
      home.se(['run', mask, '-e', 'X=se://app/db', '--', 'sh', '-c', script], { env: more })
    const lines = (name: string, value: string): string => [1, 2, 3].map((i) => `${name}${i} ${value}\n`).join('')
    for (const [mask, more, value] of [
      ['--mask=always', {}, '[se://app/db]'],
      ['--mask', { CI: 'true' }, '[se://app/db]'],
      ['--mask=auto', { CI: 'false' }, SECRET],
      ['--mask=auto', {}, SECRET],
      ['--mask=never', { CI: '1' }, SECRET],
    ] as const) {
      const ended = await run(mask, more)
      t.is(ended.stdout.toString(), lines('out', value), mask)
      t.is(ended.stderr, lines('err', value), mask)
      t.is(ended.status, 0)
    }
    const both = await home.se(['run', '--mask=always', '-e', 'X=se://app/db', '--', 'sh', '-c', script], {
      program: ['sh', '-c', 'exec "$@" 2>&1', 'sh', process.execPath, cli],
    })
    t.is(both.stdout.toString().replaceAll('[se://app/db]', ''), 'out1 \nerr1 \nout2 \nerr2 \nout3 \nerr3 \n')
  },
)

linux('values that are not masked are named before the command starts', async (t) => {
  const ended = await home.se(['run', '--mask=always', '-e', 'P=se://app/pin', '--', 'sh', '-c', 'echo started >&2'])
  t.regex(ended.stderr, /^se: not masked: app\/pin \(too short\)\nhint: .*\nstarted\n$/)
  const flags = ['-e', 'P=se://app/pin', '-e', 'W=se://app/word', '-e', 'Q=se://app/pin', '-e', 'V=se://app/word']
  const each = await home.se(['run', '--mask=always', ...flags, '--', 'true'])
  t.regex(each.stderr, /^se: not masked: app\/pin, app\/word \(too short\)\n/)
})

linux('masked output that cannot be written is told, and is no success', async (t) => {
  const full = ['sh', '-c', 'exec "$@" > /dev/full', 'sh', process.execPath, cli]
  const args = (script: string): string[] => ['run', '--mask=always', '-e', 'X=se://app/db', '--', 'sh', '-c', script]
  const told = /^se: standard output cannot be written: no space left on device\n$/
  const quiet = await home.se(args('echo "$X"'), { program: full })
  t.is(quiet.status, 1)
  t.regex(quiet.stderr, told)
  const failed = await home.se(args('echo "$X"; exit 3'), { program: full })
  t.is(failed.status, 3)
  t.regex(failed.stderr, told)
  const endless = await home.se(args('exec yes'), { program: full })
  t.is(endless.status, 'SIGPIPE')
  t.regex(endless.stderr, told)
})

/** A masked command that has ended, and a reader of its standard error that reads only when it is told. */
function withSlowReader(): string[] {
  const command = `'echo rea"dy" > /dev/tty; head -c 200000 /dev/zero >&2'`
  const reader = `(trap "" INT TSTP HUP; echo > waits; read a < slow; exec cat > /dev/null)`
  return ['bash', '-c', `exec ${se} run --mask=always -e X=se://app/db -- sh -c ${command} 2> >${reader}`]
}

linux('when the command has ended, keys end or stop the wait for a slow reader', async (t) => {
  const work = join(home.folder, 'work')
  execFileSync('mkfifo', [join(work, 'slow')])
  const words = withSlowReader()
  // Open for both, so that it waits for nobody.
  const slow = openSync(join(work, 'slow'), 'r+')
  t.teardown(() => closeSync(slow))
  const readerWaits = async (): Promise<void> => {
    await until('the reader waits', () => existsSync(join(work, 'waits')))
    rmSync(join(work, 'waits'))
  }
  const direct = new OnPty(words, env(), { cwd: work })
  t.teardown(() => stop(direct))
  await direct.expect(/ready\r\n/)
  await readerWaits()
  await direct.lookUntil(({ signals }) => signals)
  direct.send('\x03')
  await untilGone(await direct.pid())
  writeSync(slow, '\n')
  t.is(await direct.status(), 130)

  const bash = await shell(t)
  const before = await bash.look()
  bash.send(`${words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ')}; echo "sta""tus $?"\n`)
  await bash.expect(/ready\r\n/)
  await readerWaits()
  await bash.lookUntil(({ signals, foreground }) => signals && foreground !== before.foreground)
  bash.send('\x1a')
  await bash.expect(/Stopped/)
  bash.send('fg\n')
  await bash.lookUntil(({ foreground }) => foreground !== before.foreground)
  writeSync(slow, '\n')
  await bash.expect(/prompt> /)
})

linux('Ctrl-D is a key like others where another program has put the terminal into line mode', async (t) => {
  const started = masked(t, 'echo ready; cat; echo "e""nd"')
  await started.expect(/ready\r\n/)
  await started.lookUntil(({ canonical }) => !canonical)
  const pid = await started.pid()
  const targets = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))
  const terminal = targets.find((target) => target.startsWith('/dev/pts/')) as string
  execFileSync('stty', ['-F', terminal, 'icanon'])
  started.send('\x04')
  await started.expect(/end\r\n/)
  t.is(await started.status(), 0)
})

linux('what others write after the command has ended comes through, and nobody waits for it', async (t) => {
  const work = join(home.folder, 'work')
  execFileSync('mkfifo', [join(work, 'go')])
  const argv = [
    'run',
    '--mask=always',
    '-e',
    'X=se://app/db',
    '--',
    'sh',
    '-c',
    '(read a < go; echo "late $X") & echo now; exit 5',
  ]
  const child = spawn(process.execPath, [cli, ...argv], { env: home.env, cwd: work, detached: true })
  let out = ''
  child.stdout.on('data', (chunk) => {
    out += chunk
  })
  const [status] = await once(child, 'exit')
  t.is(status, 5)
  writeFileSync(join(work, 'go'), '\n')
  await once(child, 'close')
  t.is(out, 'now\nlate [se://app/db]\n')
})

for (const [who, mask] of [
  ['the parent', '--mask'],
  ['the monitor', '--mask'],
  ['the command', '--mask'],
  ['the parent', '--mask=always'],
] as const) {
  linux(`when ${who} is killed (${mask}), nothing is left, and the terminal is as it was`, async (t) => {
    const bash = await shell(t)
    const before = await bash.look()
    const pipes = mask === '--mask' ? '' : '</dev/null 2>&1 | cat'
    bash.send(`${se} run ${mask} -- bash -c 'echo "ready $$ $PPID end"; sleep 1000 & wait' ${pipes}\n`)
    const [, command, monitor] = await bash.expect(/ready (\d+) (\d+) end/)
    const parent = processOf(Number(monitor))?.parent ?? 0
    await bash.lookUntil(({ canonical }) => mask !== '--mask' || !canonical)
    const pids = [Number(command), Number(monitor), ...(parent === (await bash.pid()) ? [] : [parent])]
    const killed = { 'the parent': parent, 'the monitor': Number(monitor), 'the command': Number(command) }[who]
    process.kill(killed, 'SIGKILL')
    await bash.expect(/prompt> /)
    await untilGone(...pids)
    bash.send('echo "sta""tus ${PIPESTATUS[0]}"\n')
    await bash.expect(/status 137\r\n/)
    await bash.expect(/prompt> /)
    t.deepEqual((await bash.look()).all, before.all)
  })
}

inPidNamespace(
  'a signal from outside of its PID namespace reaches the command, and its orphans are reaped there',
  async (t) => {
    const script = `trap 'echo term; exit 3' TERM; pid=$(sh -c ': >/dev/null & echo $!'); while [ -e /proc/$pid ]; do :; done; ${UNTIL_END}`
    for (const flag of ['--mask=always', `--file=F=se://app/db,path=/dev/shm/se-test-${process.pid}`]) {
      const argv = [process.execPath, cli, 'run', flag, '-e', 'X=se://app/db', '--', 'bash', '-c', script]
      const child = spawn('unshare', ['-pf', '--mount-proc', ...argv], {
        env: home.env,
        cwd: join(home.folder, 'work'),
        stdio: ['pipe', 'pipe', 'inherit'],
        detached: true,
      })
      let out = ''
      const ready = new Promise<void>((resolve) =>
        child.stdout.on('data', (chunk) => {
          out += chunk
          if (out.includes('ready')) resolve()
        }),
      )
      await Promise.race([ready, once(child, 'close')])
      const [parent] = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'latin1').split(' ')
      process.kill(Number(parent), 'SIGTERM')
      t.deepEqual(await once(child, 'close'), [3, null], flag)
      t.is(out, 'ready\nterm\n')
    }
  },
)

linux('Ctrl-Z stops a masked command in a pipeline though nobody reads what it wrote', async (t) => {
  const bash = await shell(t)
  bash.send(`${se} run --mask=always -- sh -c 'echo "re""ady" >&2; exec yes' | sleep 1000\n`)
  await bash.expect(/ready\r\n/)
  bash.send('\x1a')
  await bash.expect(/Stopped/)
  await bash.expect(/prompt> /)
  bash.send('kill -KILL %1\n')
  t.truthy(await bash.expect(/prompt> /))
})

linux(
  'a reader finds the end of what a command writes when the command closes it, and all of it is there',
  async (t) => {
    const script = `printf '%s' '${SECRET.slice(0, -1)}'; exec >&- 2>&-; read a`
    const child = spawn(
      process.execPath,
      [cli, 'run', '--mask=always', '-e', 'X=se://app/db', '--', 'sh', '-c', script],
      {
        env: home.env,
        cwd: join(home.folder, 'work'),
        stdio: ['pipe', 'pipe', 'inherit'],
        detached: true,
      },
    )
    t.is((await child.stdout.toArray()).join(''), SECRET.slice(0, -1))
    t.is(child.exitCode, null)
    child.stdin.end('\n')
    t.deepEqual(await once(child, 'close'), [0, null])
  },
)

linux('what is meant for the PID of se is the command’s', async (t) => {
  const script = 'echo "$LISTEN_PID $$"'
  const ended = await home.se(['run', '--mask=always', '--', 'sh', '-c', script], {
    program: ['sh', '-c', 'LISTEN_PID=$$ exec "$@"', 'sh', process.execPath, cli],
  })
  const [meant, pid] = ended.stdout.toString().trim().split(' ')
  t.is(meant, pid)
})

linux('a gigabyte goes through without a growth of memory, masked', async (t) => {
  const work = join(home.folder, 'work')
  const script = 'head -c 1G /dev/zero; echo "$PPID $X"; read a'
  const argv = ['run', '--mask=always', '-e', 'X=se://app/db', '--', 'sh', '-c', script]
  const child = spawn(process.execPath, [cli, ...argv], {
    env: home.env,
    cwd: work,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let bytes = 0
  let last = Buffer.alloc(0)
  child.stdout.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    last = Buffer.concat([last.subarray(-100), chunk.subarray(-100)])
    if (last.at(-1) !== 10) return
    const [, peak] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${child.pid}/status`, 'latin1')) ?? []
    t.true(Number(peak) < 12_000, `${peak} kB`)
    child.stdin.end('\n')
  })
  t.deepEqual(await once(child, 'close'), [0, null])
  t.true(bytes > 1 << 30)
  t.regex(last.toString('latin1'), /\d+ \[se:\/\/app\/db\]\n$/)
})

linux('a value that less writes over the right edge of the screen is masked', async (t) => {
  const file = join(home.folder, 'work', 'wide')
  writeFileSync(file, `${'x'.repeat(30)}${SECRET} ends here\n`)
  for (const flag of ['', '-R']) {
    const less = onTerminal(t, ['--mask'], ['sh', '-c', `less ${flag} "$0"`, file], { columns: 40 })
    const [shown] = await less.expect(/^[^]*ends here/)
    t.regex(shown, /x\[se:\/\/app\/db\]/)
    t.notRegex(shown, /terminal|91c4/)
    less.send('q')
    t.is(await less.status(), 0)
  }
})

// It takes half a minute: this is a pty behind a pty, and each moves some 64 MB/s at best.
linux('a gigabyte goes through a terminal without a growth of memory, masked', async (t) => {
  const started = onTerminal(
    t,
    ['--mask'],
    ['bash', '-c', 'yes "$(printf "%0200d" 7)" | head -c 1G; echo; echo "end $PPID $X"; read a'],
  )
  let bytes = 0
  let last = ''
  started.child.stdout.removeAllListeners('data')
  await new Promise<void>((resolve) =>
    started.child.stdout.on('data', (chunk: Buffer) => {
      bytes += chunk.length
      last = (last + chunk.subarray(-100).toString('latin1')).slice(-100)
      if (/end .*\r\n$/.test(last)) resolve()
    }),
  )
  const [, monitor] = /end (\d+) \[se:\/\/app\/db\]\r\n$/.exec(last) ?? []
  t.true(bytes > 1 << 30)
  for (const pid of [await started.pid(), Number(monitor)]) {
    const [, peak] = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'latin1')) ?? []
    t.true(Number(peak) < 12_000, `${peak} kB`)
  }
  started.send('\n')
  t.is(await started.status(), 0)
})

linux('on a terminal, nobody waits for what a command leaves running there, and it is hung up', async (t) => {
  const work = join(home.folder, 'work')
  execFileSync('mkfifo', [join(work, 'later'), join(work, 'set')])
  const orphans = [
    'trap "echo hung up > told; exit" HUP; echo > set; while :; do read -t 1000 a <> never; done',
    'trap "" HUP; exec 2> told-by-deaf; echo > set; read a < later; echo "late $X" || echo failed >&2',
  ]
  execFileSync('mkfifo', [join(work, 'never')])
  const script = orphans.map((orphan) => `(${orphan}) & read a < set; echo "orphan $! end"`).join('; ')
  const started = masked(t, `${script}; echo "main $X"; exit 5`)
  const pids = []
  for (const _ of orphans) pids.push(Number((await started.expect(/orphan (\d+) end\r\n/))[1]))
  t.is(await started.status(), 5)
  t.is(started.shown, 'main [se://app/db]\r\n')
  const [polite, deaf] = pids as [number, number]
  // Nobody has woken it yet: the status did not wait for its end.
  t.truthy(processOf(deaf))
  await untilGone(polite)
  t.is(readFileSync(join(work, 'told'), 'utf8'), 'hung up\n')
  writeFileSync(join(work, 'later'), '\n')
  await untilGone(deaf)
  t.regex(readFileSync(join(work, 'told-by-deaf'), 'utf8'), /Input\/output error\nfailed\n$/)
  t.is(started.shown, 'main [se://app/db]\r\n')
})

inMountNamespace('where no terminal can be had, nothing starts, and no file is left', async (t) => {
  // In a mount namespace: terminals of which there is one, and that one is taken.
  const taken = 'mount -t devpts -o max=1,ptmxmode=0666 devpts /dev/pts && exec 9<>/dev/ptmx'
  const bash = await shell(t)
  const before = await bash.look()
  const command = `${se} run --mask --file=F=se://app/db,path=${FILE} -e X=se://app/db -- touch started`
  bash.send(`unshare -m bash -c "${taken} && exec ${command}"; echo "sta""tus $?"\n`)
  const [shown, status] = await bash.expect(/^[^]*status (\d+)\r\n/)
  t.is(Number(status), 125)
  t.regex(shown, /se:\S* no terminal can be had for the command: .*\r\nhint: /)
  await bash.expect(/prompt> /)
  t.deepEqual((await bash.look()).all, before.all)
  t.false(existsSync(join(home.folder, 'work/started')))
  t.false(existsSync(FILE))
})

linux('keys that the command does not read are not kept without end, and do not keep it from ending', async (t) => {
  const started = masked(t, 'echo ready; exec sleep 1000')
  await started.expect(/ready\r\n/)
  started.send('a few\n\x03')
  t.is(await started.status(), 130)
  const flooded = masked(t, 'echo ready; exec sleep 1000')
  await flooded.expect(/ready\r\n/)
  flooded.send(`${'x'.repeat(200)}\n`.repeat(10_000))
  process.kill(await flooded.pid(), 'SIGTERM')
  t.is(await flooded.status(), 143)
})
