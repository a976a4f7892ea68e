// `se run` on the real thing: what the command gets must be what it would get without se in front of it.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { startDaemon } from './helpers/daemon.js'
import { checkBundle, cli, createHome, type Home } from './helpers/se.js'
import { type Start, start, takeSignals } from './helpers/start.js'

const SECRET = 'run-canary-5e1f'
const unix = process.platform === 'win32' ? test.serial.skip : test.serial
const linux = process.platform === 'linux' ? test.serial : test.serial.skip

test.before(checkBundle)

/** A home with one secret under `app/db`. */
async function homeWithSecret(t: ExecutionContext, secrets: Record<string, string | Uint8Array> = {}): Promise<Home> {
  const home = createHome((fn) => t.teardown(fn))
  await home.ok(['store', 'use', 'file', '--key-file'])
  for (const [id, value] of Object.entries({ 'app/db': SECRET, ...secrets })) {
    await home.ok(['set', id, '--verbatim'], { stdin: value })
  }
  return home
}

function variables(home: Home, more: readonly (string | Buffer)[] = []): (string | Buffer)[] {
  return [...Object.entries(home.env).map(([name, value]) => `${name}=${value}`), ...more]
}

/** Runs a program the same way without and with se in front, and answers with both outputs. */
async function both(home: Home, command: readonly (string | Buffer)[], more: Partial<Start> = {}): Promise<string[]> {
  const outputs: string[] = []
  for (const front of [['/usr/bin/env'], [process.execPath, cli, 'run', '--']]) {
    const started = start(home.folder, { argv: [...front, ...command], env: variables(home), ...more })
    const status = await started.end()
    outputs.push(`${started.shown}status ${status}`)
  }
  return outputs
}

unix('the command gets the secret, and se ends with its status', async (t) => {
  const home = await homeWithSecret(t)
  for (const status of [0, 3, 255]) {
    const ended = await home.se(['run', '--', 'sh', '-c', `printf %s "$X"; exit ${status}`], {
      env: { X: 'se://app/db' },
    })
    t.is(ended.stdout.toString(), SECRET)
    t.is(ended.stderr, '')
    t.is(ended.status, status)
  }
})

unix('a command that dies by a signal dies by it', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  for (const name of ['TERM', 'KILL', 'PIPE', 'XFSZ']) {
    t.is((await home.se(['run', '--', 'sh', '-c', `kill -${name} $$`])).status, `SIG${name}`)
  }
})

unix('without a reference no store is needed', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  t.is((await home.se(['run', '--', 'sh', '-c', 'echo "$X"'], { env: { X: 'pg://u:se://app/db@h' } })).status, 0)
})

linux('se is the command: same PID, same parent, one thread, and no trace of Node', async (t) => {
  const home = await homeWithSecret(t)
  const argv = [process.execPath, cli, 'run', '--', 'sh', '-c', 'echo "ready $$ $PPID $X"; read line']
  const started = start(home.folder, { argv, env: variables(home, ['X=se://app/db']) })
  const [, pid, parent, value] = await started.expect(/ready (\d+) (\d+) (\S+)\n/)
  t.is(Number(pid), started.child.pid ?? 0)
  t.is(Number(parent), process.pid)
  t.is(value, SECRET)
  t.is(readdirSync(`/proc/${pid}/task`).length, 1)
  t.notRegex(readFileSync(`/proc/${pid}/maps`, 'utf8'), /\.node|bin\/node/)
  t.false(readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes(SECRET))
  started.send('\n')
  t.is(await started.end(), 0)
})

linux('every catchable signal that is sent to the PID reaches the command', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  const started = start(home.folder, {
    argv: [process.execPath, cli, 'run', '--', ...takeSignals],
    env: variables(home),
  })
  await started.expect(/ready\n/)
  const standard = Array.from({ length: 31 }, (_, index) => index + 1).filter((number) => number !== 9 && number !== 19)
  const realTime = Array.from({ length: 31 }, (_, index) => index + 34)
  t.is(standard.length, 29)
  for (const number of [...standard, ...realTime]) {
    process.kill(started.child.pid ?? 0, number)
    const [, seen] = await started.expect(/(\d+)\n/)
    t.is(Number(seen), number)
  }
  t.is(await started.end(), 0)
})

linux('arguments that are not UTF-8, and empty ones, are the same bytes', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  const words = ['', Buffer.from([0xff, 0xfe, 0x20]), '--', '-e', 'se://app/db', Buffer.from('ä\n'), '']
  const [without, withSe] = await both(home, ['sh', '-c', 'cat /proc/$$/cmdline; :', 'name', ...words])
  t.is(withSe, without)
  t.true(withSe?.includes('\xff\xfe \0--\0-e\0se://app/db\0'))
})

linux('the environment is the same bytes in the same order, duplicates and malformed entries too', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  const odd = [
    Buffer.from([0x5a, 0x3d, 0xff, 0xfe]),
    'A=1',
    'A=2',
    'without an equals sign',
    'E=',
    Buffer.from([0xff, 0x3d]),
  ]
  const direct = start(home.folder, { argv: ['/bin/cat', '/proc/self/environ'], env: variables(home, odd) })
  await direct.end()
  const argv = [process.execPath, cli, 'run', '--', '/bin/cat', '/proc/self/environ']
  const withSe = start(home.folder, { argv, env: variables(home, odd) })
  t.is(await withSe.end(), 0)
  t.is(withSe.shown, direct.shown)
})

linux('a resolved variable stays in its place, and every duplicate is resolved', async (t) => {
  const home = await homeWithSecret(t, { 'app/bytes': Buffer.from([0xff, 0x3d, 0x0a]) })
  const env = variables(home, ['A=se://app/db', 'M=1', 'A=se://app/bytes', 'Z=SE://app/db', 'Y= se://app/db'])
  const started = start(home.folder, {
    argv: [
      process.execPath,
      cli,
      'run',
      '-e',
      'N=se://app/*',
      '-e',
      'M=se://app/db',
      '--',
      '/bin/cat',
      '/proc/self/environ',
    ],
    env,
  })
  await started.end()
  t.regex(started.shown, /N: se:\/\/app\/\* has 2 answers: app\/bytes \(docker-pass\), app\/db \(docker-pass\)/)
  const again = start(home.folder, {
    argv: [
      process.execPath,
      cli,
      'run',
      '-e',
      'N=se://*/db',
      '-e',
      'M=se://app/db',
      '--',
      '/bin/cat',
      '/proc/self/environ',
    ],
    env,
  })
  t.is(await again.end(), 0)
  const end = `A=${SECRET}\0M=${SECRET}\0A=\xff=\n\0Z=SE://app/db\0Y= se://app/db\0N=${SECRET}\0`
  t.true(again.shown.endsWith(end), again.shown)
})

linux('variables that open our own store never reach the command', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  writeFileSync(join(home.folder, 'work/.env'), 'SE_PASSPHRASE=from-file\n')
  const argv = [
    process.execPath,
    cli,
    'run',
    '-f',
    join(home.folder, 'work/.env'),
    '--',
    '/bin/cat',
    '/proc/self/environ',
  ]
  const env = variables(home, ['SE_PASSPHRASE=x', 'SE_OLD_PASSPHRASE_FILE=x', 'SE_STORE=file', 'MY_PASSPHRASE=y'])
  const started = start(home.folder, { argv, env })
  t.is(await started.end(), 0)
  t.notRegex(started.shown, /SE_\w*PASSPHRASE/)
  t.regex(started.shown, /SE_STORE=file\0MY_PASSPHRASE=y\0$/)
})

// What is listed: number, target and, for pipes, whether it blocks. The list itself opens the lowest free number.
const LIST =
  'for fd in /proc/$$/fd/*; do n=${fd##*/}; read -r _ f < /proc/$$/fdinfo/$n 2>/dev/null; ' +
  'while read -r k v; do [ "$k" = flags: ] && f=$v; done < /proc/$$/fdinfo/$n; echo "$n $(readlink $fd) $f"; done 2>/dev/null'

linux('inherited descriptors are kept, ours are closed', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  const read = 0
  const cases: Start['descriptors'][] = [
    {},
    { 3: ['/etc/passwd', read], 9: ['/etc/hosts', read], 12: ['/etc/group', read] },
    {
      3: ['/etc/passwd', read],
      15: ['/etc/hosts', read],
      16: ['/etc/group', read],
      17: ['/etc/hosts', read],
      63: ['/etc/hosts', read],
    },
    { 3: ['/dev/null', read], 4: ['/dev/null', 2] },
    { 3: ['pipe', 4] },
    { 6: ['pipe', 9] },
  ]
  for (const descriptors of cases) {
    const [without, withSe] = await both(home, ['/bin/bash', '-c', LIST], { descriptors: descriptors ?? {} })
    const plain = (text = ''): string =>
      text.replace(/(pipe|socket):\[\d+\]/g, '$1').replace(/^(255|\d+ \/proc).*\n/gm, '')
    t.is(plain(withSe), plain(without), JSON.stringify(descriptors))
    for (const number of Object.keys(descriptors ?? {})) t.regex(withSe ?? '', new RegExp(`^${number} `, 'm'))
  }
})

linux('descriptors are kept when secrets were resolved in between', async (t) => {
  const home = await homeWithSecret(t)
  const descriptors: Start['descriptors'] = { 3: ['/etc/passwd', 0], 12: ['/etc/group', 0] }
  const check = async (): Promise<void> => {
    const [without, withSe] = await both(home, ['/bin/ls', '/proc/self/fd'], {
      descriptors,
      env: variables(home, ['X=se://app/db']),
    })
    t.is(withSe, without)
    t.regex(withSe ?? '', /^12\n(.*\n)*3\n(.*\n)*status 0$/m)
  }
  await check()
  // The socket to a daemon is none of the command's either.
  await startDaemon(t, { home })
  await check()
})

linux('pipes block, or do not, as they did before', async (t) => {
  const home = await homeWithSecret(t)
  const flags = '/bin/cat /proc/self/fdinfo/0 /proc/self/fdinfo/1 /proc/self/fdinfo/2'
  const env = variables(home, ['X=se://app/db'])
  for (const nonblocking of [[], [0, 1], [0, 1, 2]]) {
    const seen = (await both(home, flags.split(' '), { nonblocking, env })).map((text) => text.match(/flags:\s*\d+/g))
    t.deepEqual(seen[1], seen[0])
    t.is(seen[1]?.length, 3)
  }
  const script = `: | "${process.execPath}" "${cli}" run -- ${flags} 2>&1 | cat`
  const pipes = start(home.folder, { argv: ['/bin/bash', '-c', script], env })
  t.is(await pipes.end(), 0)
  t.deepEqual(
    pipes.shown.match(/flags:\s*\d+/g)?.map((text) => text.slice(-2)),
    ['00', '01', '01'],
  )
})

linux('signals have their default effect, and none is blocked', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  const { shown } = await run(home, ['/bin/cat', '/proc/self/status'])
  t.regex(shown, /SigBlk:\t0{16}\nSigIgn:\t0{16}\nSigCgt:\t0{16}\n/)
})

linux('a signal mask, and ignored signals, are lost in Node, as documented; nohup belongs behind se run', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  const lost = await run(home, ['/bin/cat', '/proc/self/status'], { ignored: [1], blocked: [10] })
  t.regex(lost.shown, /SigBlk:\t0{16}\nSigIgn:\t0{16}\n/)
  const kept = await run(home, ['nohup', '/bin/cat', '/proc/self/status'])
  t.regex(kept.shown, /SigIgn:\t0{15}1\n/)
})

linux('the soft descriptor limit is the hard one, as documented; a command may lower it', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  const { shown } = await run(home, ['sh', '-c', 'ulimit -Sn; ulimit -Hn; ulimit -Sn 64; ulimit -Sn'], {
    softLimit: 128,
  })
  const [soft, hard, lowered] = shown.split('\n')
  t.is(soft, hard)
  t.is(lowered, '64')
})

unix('folder and umask are the caller’s', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  const folder = join(home.folder, 'tmp')
  const { shown } = await run(home, ['sh', '-c', 'pwd; umask'], { folder, umask: 0o027 })
  t.is(shown, `${folder}\n0027\n`)
})

unix('a reader that goes away ends a writer quietly', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  const script = `"${process.execPath}" "${cli}" run -- yes | head -n1; echo "\${PIPESTATUS[*]}"`
  const started = start(home.folder, { argv: ['/bin/bash', '-c', script], env: variables(home) })
  t.is(await started.end(), 0)
  t.is(started.shown, 'y\n141 0\n')
})

unix('standard input is the command’s from the first byte', async (t) => {
  const home = await homeWithSecret(t)
  const ended = await home.se(['run', '-e', 'X=se://app/db', '--', 'cat'], { stdin: 'a\0b\n' })
  t.is(ended.stdout.toString(), 'a\0b\n')
})

unix('the command is found on the PATH that it gets', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  const work = join(home.folder, 'work')
  writeFileSync(join(work, 'tool'), '#!/bin/sh\necho found "$@"\n', { mode: 0o755 })
  writeFileSync(join(work, '.env'), `PATH=${work}:/usr/bin:/bin\n`)
  t.is(await home.ok(['run', '-f', '.env', '--', 'tool', 'a b']), 'found a b\n')
  t.is((await home.se(['run', '--', 'tool'])).status, 127)
  t.is(await home.ok(['run', '--', './tool']), 'found\n')
  t.is(await home.ok(['run', '--', 'tool'], { env: { PATH: `/usr/bin::${process.env['PATH']}` } }), 'found\n')
})

unix('a script without a first line for the system is run by sh', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  const work = join(home.folder, 'work')
  writeFileSync(join(work, '-script'), 'echo "script $1 $0"\n', { mode: 0o755 })
  writeFileSync(join(work, 'empty'), '', { mode: 0o755 })
  writeFileSync(join(work, 'binary'), Buffer.from('\x7fOOPS\0\0\n'), { mode: 0o755 })
  const env = { PATH: `:${process.env['PATH']}` }
  t.is(await home.ok(['run', '--', '-script', 'x'], { env }), 'script x ./-script\n')
  t.is(await home.ok(['run', '--', './empty']), '')
  const binary = await home.se(['run', '--', './binary'])
  t.is(binary.status, 126)
  t.regex(binary.stderr, /it is not a program for this machine/)
})

unix('statuses are a shell’s: 126 for what cannot be executed, 127 for what is not there', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  const work = join(home.folder, 'work')
  writeFileSync(join(work, 'plain'), 'x')
  writeFileSync(join(work, 'orphan'), '#!/no/such/interpreter\n', { mode: 0o755 })
  const env = { PATH: `${home.folder}:${work}:/usr/bin:/bin` }
  const cases: [command: string, status: number, message: RegExp][] = [
    ['no-such-command', 127, /^se: command not found: no-such-command\nhint: .*PATH/],
    ['./no-such-file', 127, /^se: command not found: \.\/no-such-file\n$/],
    ['', 127, /^se: command not found: \n/],
    ['./orphan', 127, /interpreter/],
    ['./plain', 126, /\.\/plain cannot be executed: permission denied/],
    ['plain', 126, /plain cannot be executed: permission denied/],
    ['./', 126, /it is a folder/],
    ['work', 127, /command not found: work/],
  ]
  for (const [command, status, message] of cases) {
    const ended = await home.se(['run', '--', command], { env })
    t.is(ended.status, status, command)
    t.regex(ended.stderr, message)
    t.is(ended.stdout.length, 0)
  }
})

unix('all problems are in one report, with 125, and nothing is started', async (t) => {
  const home = await homeWithSecret(t, { 'app/nul': 'a\0b', 'app/big': 'x'.repeat(131_072 - 4) })
  const work = join(home.folder, 'work')
  writeFileSync(join(work, 'bad.env'), `GOOD=1\n${SECRET} is no line\nOPEN="${SECRET}\n`)
  const env = {
    A: 'se://app/none',
    B: 'se://app/nul',
    BIG: 'se://app/big',
    C: 'se://app/**',
    D: 'se://not//valid',
    F: 'se://app/db',
  }
  const ended = await home.se(['run', '-f', 'missing.env', '-f', 'bad.env', '--', 'touch', 'started'], { env })
  t.is(ended.status, 125)
  t.is(ended.stdout.length, 0)
  t.deepEqual(readdirSync(work).sort(), ['bad.env'])
  const problems = ended.stderr.split('\n').filter((line) => line.startsWith('se: '))
  const expected = [
    /^se: missing\.env: there is no such file$/,
    /^se: bad\.env:2: no = in the line$/,
    /^se: bad\.env:3: the quote is not closed$/,
    /^se: A: no secret is found for se:\/\/app\/none$/,
    /^se: C: se:\/\/app\/\*\* has 3 answers: app\/big \(docker-pass\), app\/db \(docker-pass\), app\/nul \(docker-pass\)$/,
    /^se: D: /,
    /^se: B: the value holds a zero byte/,
    /^se: BIG: the variable has 131073 bytes, and the system takes 131072$/,
  ]
  t.is(problems.length, expected.length, ended.stderr)
  expected.forEach((pattern, index) => t.regex(problems[index] ?? '', pattern))
  t.regex(ended.stderr, /\n8 problems: nothing was started\n$/)
  t.false(ended.stderr.includes(SECRET))
})

unix('the longest variable that the system takes arrives whole', async (t) => {
  const value = 'x'.repeat(131_072 - 'BIG='.length - 1)
  const home = await homeWithSecret(t, { 'app/big': value })
  t.is(await home.ok(['run', '-e', 'BIG=se://app/big', '--', 'sh', '-c', 'printf %s "$BIG"']), value)
})

linux('an environment that is too long as a whole is refused with its size', async (t) => {
  const home = await homeWithSecret(t, { 'app/big': 'x'.repeat(130_000) })
  const env = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`V${index}`, 'se://app/big']))
  const ended = await home.se(['run', '--', 'true'], { env })
  t.is(ended.status, 125)
  t.regex(ended.stderr, /arguments and environment have 7\d{6} bytes together, and the system takes \d+\n/)
})

unix('env files win over the environment, later ones over earlier ones, -e over all', async (t) => {
  const home = await homeWithSecret(t)
  const work = join(home.folder, 'work')
  writeFileSync(join(work, 'one.env'), 'A=one\nB=one\nC=se://app/none\nD=one # comment\n')
  writeFileSync(join(work, 'two.env'), 'B=two\nC=two\n')
  const script = 'echo "$A $B $C $D $E"'
  const args = ['run', '-f', 'one.env', '-f', 'two.env', '-e', 'E=se://app/db', '--', 'sh', '-c', script]
  t.is(await home.ok(args, { env: { A: 'env', B: 'env', E: 'se://app/none' } }), `one two two one ${SECRET}\n`)
})

unix('--dry-run shows references and where they come from, never values, and asks no store', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  writeFileSync(join(home.folder, 'work/.env'), '\nPLAIN=not-shown\nB=se://app/b\n')
  const args = ['run', '--dry-run', '-f', '.env', '-e', 'C=se://app/c', '--', 'touch', 'started']
  const text = await home.ok(args, { env: { A: 'se://app/a', SE_STORE: 'file' } })
  t.is(text, 'A=se://app/a (the environment)\nB=se://app/b (.env:3)\nC=se://app/c (-e)\n')
  t.deepEqual(readdirSync(join(home.folder, 'work')), ['.env'])
})

unix('--dry-run tells every problem that is known without a store, and ends as the real run would', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  writeFileSync(join(home.folder, 'work/.env'), `no variable\nLONG=${'x'.repeat(131_072)}\n`)
  const flags = ['-f', '.env', '-e', 'A=se://', '-e', 'C=se://a b', '-e', 'D=se://d']
  const wrong = await home.se(['run', '--dry-run', ...flags, '--', '/nonexistent'])
  t.is(wrong.status, 125)
  t.is(wrong.stdout.toString().split('\n').length, 4)
  for (const text of ['.env:1: no =', 'A: ', 'C: ', 'LONG: the variable has', '4 problems: nothing']) {
    t.true(wrong.stderr.includes(`\nse: ${text}`) || wrong.stderr.includes(text), `${text} in ${wrong.stderr}`)
  }
  t.false(wrong.stderr.includes('D: '))
  for (const [command, status] of [
    [['/nonexistent'], 127],
    [['no-such-command'], 127],
    [['/etc/passwd'], 126],
    [['/etc'], 126],
    [['sh'], 0],
  ] as const) {
    const foreseen = await home.se(['run', '--dry-run', '--', ...command])
    const real = await home.se(['run', '--', ...command])
    t.is(foreseen.status, status)
    t.deepEqual(foreseen, real)
  }
})

unix('--dry-run does not look for the command on a PATH that is not known yet', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  t.is((await home.se(['run', '--dry-run', '-e', 'PATH=se://path', '--', 'no-such-command'])).status, 0)
})

unix('an env file may be a pipe by -f; one that Node has read before is refused', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  const se = `"${process.execPath}" "${cli}" run`
  const script = `${se} -f <(echo A=piped) -- printenv A; ${se} --env-file <(echo A=piped) -- printenv A; echo $?`
  const started = start(home.folder, { argv: ['/bin/bash', '-c', script], env: variables(home) })
  await started.end()
  t.regex(
    started.shown,
    /^piped\nse: \/dev\/fd\/\d+: the pipe is empty\nhint: .*-f\n1 problem: nothing was started\n125\n$/,
  )
})

unix('everything that is wrong with -e is listed beside other problems, without what may be a value', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  const flags = ['C=plain', 'D', 'hunter2', 'aHVudGVyMg==', '=hunter2', 'SE_PASSPHRASE=se://a', 'E=se://']
  for (const dry of [[], ['--dry-run']]) {
    const ended = await home.se(['run', ...dry, ...flags.flatMap((text) => ['-e', text]), '--', 'true'])
    t.is(ended.status, 125)
    t.deepEqual(
      ended.stderr.split('\n').flatMap((line) => /^se: (-e [A-Z_]+|-e number \d|E): /.exec(line)?.[1] ?? []),
      ['-e C', '-e D', '-e number 3', '-e number 4', '-e number 5', '-e SE_PASSPHRASE', 'E'],
    )
    t.regex(ended.stderr, /\n7 problems: nothing was started\n$/)
    t.notRegex(ended.stderr, /hunter2|aHVu|plain\b(?! value)/)
  }
  t.is((await home.se(['env', '-e', 'C=plain'])).status, 2)
})

unix('wrong uses are refused with 125 and the right use', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  const cases: [args: string[], message: RegExp][] = [
    [['run'], /COMMAND is missing\nhint: write it after --: se run -- COMMAND/],
    [
      ['run', '-e', 'A=plain', '--', 'true'],
      /-e A: REF begins with se:.*\nhint: a plain value goes before the command/,
    ],
    [['run', '-e', 'SE_PASSPHRASE=se://a', '--', 'true'], /never reach a command/],
    [['run', '--env-fil', 'x', '--', 'true'], /did you mean --env-file\?/],
  ]
  for (const [args, message] of cases) {
    const ended = await home.se(args)
    t.is(ended.status, 125)
    t.regex(ended.stderr, message)
  }
})

async function run(home: Home, command: readonly string[], more: Partial<Start> = {}): Promise<{ shown: string }> {
  const argv = [process.execPath, cli, 'run', '--', ...command]
  const started = start(home.folder, { argv, env: variables(home), ...more })
  await started.end()
  return started
}
