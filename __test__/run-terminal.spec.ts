// `se run` and prompts on a terminal: what a person sees, and what the shell's job control does.
import test, { type ExecutionContext } from 'ava'
import { OnPty } from './helpers/pty.js'
import { checkBundle, cli, createHome, type Home } from './helpers/se.js'
import type { Started } from './helpers/start.js'

const SECRET = 'terminal-canary-91c4'
const unix = process.platform === 'win32' ? test.serial.skip : test.serial
const se = `"${process.execPath}" "${cli}"`

test.before(checkBundle)

/** An interactive bash on a terminal, without anybody's start-up files. */
async function shell(home: Home): Promise<Started> {
  const env = { ...home.env, TERM: 'dumb' }
  const argv = ['/bin/bash', '--norc', '--noprofile', '--noediting', '-i']
  const bash = new OnPty(argv, env, { rows: 33, columns: 99, cwd: process.cwd() })
  await bash.expect(/[#$] $/)
  bash.send("PS1='pro''mpt> '\n")
  await bash.expect(/prompt> /)
  return bash
}

async function withStore(t: ExecutionContext): Promise<Home> {
  const home = createHome((fn) => t.teardown(fn))
  await home.ok(['store', 'use', 'file', '--key-file'])
  return home
}

unix('a command on a terminal has it, with its size, and reads from it', async (t) => {
  const home = await withStore(t)
  await home.ok(['set', 'app/db'], { stdin: SECRET })
  const bash = await shell(home)
  bash.send(`X=se://app/db ${se} run -- sh -c 'test -t 0 && test -t 1 && stty size && echo "got \${#X}"'\n`)
  await bash.expect(/\n33 99\r\n/)
  await bash.expect(new RegExp(`got ${SECRET.length}\r\n`))
  await bash.expect(/prompt> /)
  bash.send(`${se} run -- head -n1; echo "status $?"\n`)
  await bash.expect(/\n/)
  bash.send('one line\n')
  await bash.expect(/one line\r\none line\r\nstatus 0\r\n/)
  await bash.expect(/prompt> /)
  bash.send('exit\n')
  t.is(await bash.end(), 0)
})

unix('Ctrl-C ends the command, and Ctrl-Z and fg stop and resume it', async (t) => {
  const bash = await shell(createHome((fn) => t.teardown(fn)))
  bash.send(`${se} run -- sh -c 'echo ready; read a; echo "read $a"'\n`)
  await bash.expect(/ready\r\n/)
  bash.send('\x1a')
  await bash.expect(/Stopped/)
  await bash.expect(/prompt> /)
  bash.send('jobs -l; fg\n')
  await bash.expect(/Stopped/)
  bash.send('again\n')
  await bash.expect(/\nread again\r\n/)
  await bash.expect(/prompt> /)
  bash.send(`${se} run -- sh -c 'echo ready; exec cat'\n`)
  await bash.expect(/ready\r\n/)
  bash.send('\x03')
  await bash.expect(/prompt> /)
  bash.send('echo "status $?"\n')
  await bash.expect(/status 130\r\n/)
  await bash.expect(/prompt> /)
  bash.send('exit\n')
  t.is(await bash.end(), 0)
})

unix('the terminal’s settings are the same before and after', async (t) => {
  const home = await withStore(t)
  await home.ok(['set', 'app/db'], { stdin: SECRET })
  const bash = await shell(home)
  bash.send(`stty -echoctl; A=$(stty -g); B=$(X=se://app/db ${se} run -- stty -g); [ "$A" = "$B" ] && echo "sa""me"\n`)
  await bash.expect(/\nsame\r\n/)
  await bash.expect(/prompt> /)
  bash.send('exit\n')
  t.is(await bash.end(), 0)
})

unix('a prompt asks on the terminal although standard input is a pipe, and shows nothing that is typed', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  const bash = await shell(home)
  bash.send(`${se} store use file --passphrase\n`)
  await bash.expect(/assphrase.*: /)
  bash.send(`${SECRET}\n`)
  await bash.expect(/: /)
  bash.send(`${SECRET}\n`)
  await bash.expect(/prompt> /)
  bash.send(`echo value | ${se} set app/db; echo "status $?"\n`)
  await bash.expect(/assphrase.*: /)
  bash.send(`wrong\x15${SECRET}x\x7f\n`)
  await bash.expect(/\nstatus 0\r\n/)
  await bash.expect(/prompt> /)
  bash.send(`echo input | ${se} run -e X=se://app/db -- sh -c 'cat; test "$X" = value && echo "ri""ght"'\n`)
  await bash.expect(/assphrase.*: /)
  bash.send(`${SECRET}\n`)
  await bash.expect(/\ninput\r\nright\r\n/)
  await bash.expect(/prompt> /)
  bash.send('stty | grep -c -e -echo; exit 0\n')
  await bash.expect(/0\r\n/)
  t.is(await bash.end(), 0)
})

for (const [name, key, status] of [
  ['INT', '\x03', 130],
  ['QUIT', '\x1c', 131],
] as const) {
  unix(`SIG${name} at a prompt ends se by that signal with echo on again`, async (t) => {
    const home = await withStore(t)
    const bash = await shell(home)
    bash.send(`ulimit -c 0; ${se} set app/db\n`)
    await bash.expect(/: $/)
    bash.send(`typed${key}`)
    const [shown] = await bash.expect(/^[^]*?prompt> /)
    t.false(shown.includes('typed'), shown)
    bash.send(`echo "status $?"; stty | grep -c -e -echo\n`)
    await bash.expect(new RegExp(`status ${status}\r\n0\r\n`))
    await bash.expect(/prompt> /)
    bash.send(`${se} get app/db; exit\n`)
    await bash.expect(/no secret/)
    t.is(await bash.end(), 3)
  })
}

unix('Ctrl-Z at a prompt gives the terminal back, and fg asks again', async (t) => {
  const home = await withStore(t)
  const bash = await shell(home)
  bash.send(`${se} set app/db\n`)
  await bash.expect(/: $/)
  bash.send('half\x1a')
  await bash.expect(/Stopped/)
  await bash.expect(/prompt> /)
  bash.send('stty | grep -c -e -echo; fg\n')
  await bash.expect(/\n0\r\n/)
  await bash.expect(/: $/)
  bash.send('whole\n')
  await bash.expect(/prompt> /)
  bash.send(`${se} get app/db --reveal; exit\n`)
  await bash.expect(/\nwhole\r\n/)
  t.is(await bash.end(), 0)
})

unix('several lines that are pasted at a prompt are refused, and reach no shell', async (t) => {
  const home = await withStore(t)
  const bash = await shell(home)
  bash.send(`${se} set app/key; echo "status $?"\n`)
  await bash.expect(/: $/)
  bash.send('-----BEGIN KEY-----\necho exec""uted\n-----END KEY-----\n')
  await bash.expect(/several lines.*status 2\r\n/s)
  await bash.expect(/prompt> /)
  bash.send('exit\n')
  t.is(await bash.end(), 0)
  t.notRegex(bash.shown, /executed/)
})

unix('a long line is taken whole, beyond what a terminal’s line mode holds', async (t) => {
  const home = await withStore(t)
  const bash = await shell(home)
  const value = 'x'.repeat(6000)
  bash.send(`${se} set app/long\n`)
  await bash.expect(/: $/)
  bash.send(`${value}\n`)
  await bash.expect(/prompt> /)
  bash.send(`${se} get app/long --reveal | wc -c; exit\n`)
  await bash.expect(/\n6000\r\n/)
  t.is(await bash.end(), 0)
})

unix('the end of input on an empty line dismisses a prompt', async (t) => {
  const home = await withStore(t)
  const bash = await shell(home)
  bash.send(`${se} set app/db; echo "status $?"\n`)
  await bash.expect(/: $/)
  bash.send('\x04')
  await bash.expect(/dismissed\r\n(hint: .*\r\n)?status 4\r\n/)
  await bash.expect(/prompt> /)
  bash.send('exit\n')
  t.is(await bash.end(), 0)
})

unix('se env prints no secret on a terminal without --force', async (t) => {
  const home = await withStore(t)
  await home.ok(['set', 'app/db'], { stdin: SECRET })
  const bash = await shell(home)
  bash.send(`${se} env -e X=se://app/db; echo "status $?"\n`)
  const [refused] = await bash.expect(/status 2\r\n/)
  t.notRegex(refused, new RegExp(SECRET))
  await bash.expect(/prompt> /)
  bash.send(`${se} env -e X=se://app/db --force; exit\n`)
  await bash.expect(new RegExp(`export X='${SECRET}'\r\n`))
  t.is(await bash.end(), 0)
})
