// The native program behind `se` beside the JavaScript command line: for each command line the same output, status and
// command environment, byte for byte. What is to be done without Node is run where there is none.
import { chmodSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import fc from 'fast-check'
import { readConfig } from '../../src/config/config.js'
import { parseEnvFile } from '../../src/deliver/env-file.js'
import { configFile, type Daemon, homeAddress, type LogLine, startDaemon } from '../helpers/daemon.js'
import { startHanging } from '../helpers/fake-daemon.js'
import { checkLauncher, launcher, pathWithoutNode } from '../helpers/launcher.js'
import { OnPty } from '../helpers/pty.js'
import { checkBundle, cli, createFileHome, type Ended, type Home } from '../helpers/se.js'
import { type Start, start } from '../helpers/start.js'

const unix = process.platform === 'win32' ? test.serial.skip : test.serial
const linux = process.platform === 'linux' ? test.serial : test.serial.skip

test.before(() => {
  checkBundle()
  checkLauncher()
})

const js = [process.execPath, cli]
const PLUGIN = `#!/bin/sh
while read -r line; do
  case $line in
    *shared/*) echo '{"id":"shared/a","value":"of the plugin"}' ;;
    *fails/*) exit 3 ;;
  esac
done
`

/** A warm daemon with secrets, two plugins and files for `run`. */
async function begin(t: ExecutionContext): Promise<Daemon> {
  const home = await createFileHome((fn) => t.teardown(fn))
  const program = join(home.folder, 'plugin.sh')
  writeFileSync(program, PLUGIN, { mode: 0o755 })
  const table = (name: string) =>
    `[plugins.${name}]\ncommand = ${JSON.stringify(program)}\nprotocol = "lines"\npattern = "${name}/**"\n`
  const daemon = await startDaemon(t, { home, config: table('shared') + table('fails') })
  const secrets: Record<string, string | Uint8Array> = {
    'app/db': 'hunter2',
    'app/bytes': Buffer.from([0xff, 0x3d, 0x0a]),
    'app/lines': 'a\nb\n',
    'app/empty': '',
    'nul/a': 'a\0b',
    'big/a': 'x'.repeat(131_072),
    'shared/a': 'of the store',
    'fails/a': 'beside a failure',
  }
  for (const [id, value] of Object.entries(secrets)) await home.ok(['set', id, '--verbatim'], { stdin: value })
  const work = join(home.folder, 'work')
  writeFileSync(join(work, '.env'), '# c\nA=se://app/db\nexport B="two\nlines"\nSE_PASSPHRASE=x\n')
  writeFileSync(join(work, 'more.env'), 'A=plain\nC=se://app/bytes\n')
  writeFileSync(join(work, 'from.env'), 'A=1\n@from se://app/* prefix=APP_ # c\n@from se://*/db\n')
  writeFileSync(join(work, 'bad.env'), 'no line\n')
  return daemon
}

/** Runs a command line by both programs, and holds them equal. `native`: where no Node is found. */
async function both(
  t: ExecutionContext,
  home: Home,
  args: readonly string[],
  { env = {}, native = true, stdin = '' }: { env?: NodeJS.ProcessEnv; native?: boolean; stdin?: string } = {},
): Promise<Ended> {
  const all = native ? { ...env, PATH: pathWithoutNode(home) } : env
  const expected = await home.se(args, { env: all, stdin, program: js })
  const ended = await home.se(args, { env: all, stdin, program: [launcher] })
  t.deepEqual(ended, expected, `se ${args.join(' ')}`)
  return expected
}

const environ = ['--', 'cat', '/proc/self/environ']

unix('run and get through a warm daemon do without Node what JavaScript does', async (t) => {
  const { home } = await begin(t)
  const cases: [args: string[], env?: NodeJS.ProcessEnv][] = [
    [['run', '--', 'sh', '-c', 'exit 3']],
    [['run', '--', 'sh', '-c', 'kill -TERM $$']],
    [['run', 'sh', '-c', 'echo "$0" "$@"', '--', '-x', '']],
    [['run', ...environ], { X: 'pg://u:se://app/db@h', Y: ' se://app/db' }],
    [['run', ...environ], { X: 'se://app/db', SE_PASSPHRASE: 'x', SE_OTHER: '1', SE_START: 'forged' }],
    [['run', ...environ], { X: 'se://app/bytes', Y: 'se://app/empty', Z: 'se://app/lines', X2: 'se://app/bytes' }],
    [['run', '-e', 'X=se://*/db', '--strict', ...environ], { X: 'before' }],
    [['run', '-eX=se://app/db', '--env', 'odd name=se://app/db', '--env=Y=se://app/db', ...environ]],
    [['run', '-f', '.env', '-f=more.env', ...environ], { B: 'before' }],
    [['run', '-fmore.env', '--env-file', '.env', '-e', 'A=se://app/lines', ...environ]],
    [['run', '-f', '{home}/work/.env', ...environ], { SE_STORE: 'file' }],
    [['run', ...environ], { X: 'se://app/db', SE_TIMEOUT_MS: '60000', SE_CONFIG: '~/config/se-native/config.toml' }],
    [['run', ...environ], { X: 'se://app/db', SE_STORE_PATH: '../data/se-native/./store.age' }],
    [['run', ...environ], { X: 'se://app/db', SE_SOCKET: '../run/se-native/daemon.sock' }],
    [['run', ...environ], { X: 'se://app/db', NODE_OPTIONS: '--no-warnings' }],
    [['run', '--env-from', 'se://app/**', ...environ]],
    [
      [
        'run',
        '--env-from=se://app/*',
        '--env-from',
        'se://app/db',
        '--prefix',
        'my_',
        '-e',
        'X=se://app/db',
        ...environ,
      ],
    ],
    [
      ['run', '--env-from', 'se://app/**', '--override', '-e', 'DB=se://app/lines', ...environ],
      { BYTES: 'se://app/db' },
    ],
    [['run', '-f', 'from.env', ...environ]],
    [['get', 'app/db']],
    [['get', 'app/db', '--reveal']],
    [['get', '-r', '--', 'app/bytes']],
    [['get', '--reveal', '-r', 'app/empty']],
    [['get', 'app/lines', '-r']],
  ]
  for (const [args, env = {}] of cases) {
    const words = args.map((word) => word.replace('{home}', home.folder))
    t.is((await both(t, home, words, { env })).stderr, '')
  }
})

unix('redact and a masked run through a warm daemon do without Node what JavaScript does', async (t) => {
  const { home } = await begin(t)
  for (const [id, stdin] of [
    ['app/key', 'correct horse'],
    ['app/pem', 'first long line\nsecond long line\n'],
    ['word/a', 'admin'],
  ] as const) {
    await home.ok(['set', id, '--verbatim'], { stdin })
  }
  const work = join(home.folder, 'work')
  writeFileSync(join(work, 'key.env'), 'A=se://app/db\n@from se://app/pem\n')
  const key = 'correct horse'
  const text = `1 hunter2 2 ${key} 3 ${Buffer.from(key).toString('base64')} 4 second long line\xff\n5 correct hors`
  const X = { X: 'se://app/key' }
  const redacted: [args: string[], env?: NodeJS.ProcessEnv, stdin?: string][] = [
    [[], X],
    [[], X, ''],
    [[], { ...X, Y: 'se://app/db', Z_FILE: 'se://*/pem', AGAIN: 'se://**/key' }],
    [['-f', 'key.env', '-e', 'X=se://*/key']],
    [['-fkey.env', '--pattern', 'se://*/key'], { Y: 'se://app/none' }],
    [['--pattern=se://app/key', '-e', 'Y=se://app/db', '--pattern', 'se://*/key', '--strict'], X],
    [['--env-from', 'se://app/pem', '--prefix', 'P_', '--override', '--github']],
    [['--github'], { Y: 'se://app/db', ...X }],
  ]
  for (const [args, env = {}, stdin = text] of redacted) {
    const { status, stderr, stdout } = await both(t, home, ['redact', ...args], { env, stdin })
    t.is(`${status}${stderr}`, '0')
    if (stdin !== '') t.regex(stdout.toString(), /\[se:\/\/app\//)
  }
  const print = ['--', 'sh', '-c', 'echo "$X" "$A" "$PEM"; echo "$X" >&2; printenv X; exit 3']
  const masked: [args: string[], env?: NodeJS.ProcessEnv][] = [
    [['--mask=always', ...print], X],
    [['--mask=always', '-f', 'key.env', '-e', 'X=se://app/key', ...print]],
    [['--mask=always', '--env-from', 'se://*/key', '--prefix', 'X_', '--', 'env'], { CI: 'no' }],
    [['--mask', ...print], { ...X, CI: 'true' }],
    [['--mask=auto', ...print], X],
    [['--mask=never', ...print], X],
    [['--mask', ...print]],
    [['--mask=always', '--', 'sh', '-c', 'kill -TERM $$'], X],
    // What is told of these is native in either program.
    [['--mask=always', '--', 'sh', '-c', 'echo $X'], { X: 'se://word/a', NO_COLOR: '1' }],
    [['--mask=always', '--', 'no-such-command'], X],
    [['--mask', '--', './key.env'], X],
    // What a group replaces is not masked.
    [
      ['--mask=always', '--override', '--env-from', 'se://app/key', '--', 'sh', '-c', 'echo "$KEY hunter2"'],
      { KEY: 'se://app/db' },
    ],
  ]
  const shown: string[] = []
  for (const [args, env = {}] of masked) {
    const { stdout, stderr, status } = await both(t, home, ['run', ...args], { env })
    shown.push(`${stdout}${stderr}${status}`)
  }
  const label = '[se://app/key]'
  t.is(shown[0], `${label}  \n${label}\n${label}\n3`)
  t.is(shown[3], shown[0])
  t.is(shown[4], shown[0]?.replaceAll(label, key))
  t.is(shown.at(-1), `${label} hunter2\n0`)
  t.regex(shown[8] ?? '', /^admin\nse: not masked: word\/a \(too common\)\nhint: .*\n0$/)
})

linux('a run with files in memory does without Node what JavaScript does', async (t) => {
  const { home } = await begin(t)
  await home.ok(['set', 'app/key'], { stdin: 'correct horse' })
  writeFileSync(join(home.folder, 'work/file.env'), 'K_FILE=se://app/db\n')
  const show =
    'for name in "$K" "$K_FILE"; do echo "${name##*/}"; cat "$name" "$name"; done; sh -c \'cat "$K" "$K_FILE"\''
  const command = ['--', 'sh', '-c', `${show}; case $K in /proc/$$/*) ls -lL "$K" | cut -c 1-10;; esac; exit 3`]
  const cases: [args: string[], env?: NodeJS.ProcessEnv][] = [
    [['--file', 'K=se://app/key', ...command], { K_FILE: 'se://*/db' }],
    [['--file=K=se://app/bytes', '--file', 'K_FILE=se://**/key', ...command], { K: 'x', K_FILE: 'se://none' }],
    [['-f', 'file.env', '--file', 'K=se://app/key', '--mask=always', ...command]],
    [['-f', 'file.env', '--file', 'K=se://app/key', '--mask', ...command]],
    [['--file', 'DB=se://app/key', '--env-from', 'se://app/db', '--override', '--', 'sh', '-c', 'cat "$DB"']],
  ]
  const shown: string[] = []
  for (const [args, env = {}] of cases) {
    const { stdout, stderr, status } = await both(t, home, ['run', ...args], { env })
    t.is(stderr, '')
    shown.push(`${status}${stdout.toString('latin1')}`)
  }
  t.regex(shown[0] ?? '', /^3\d+\n(correct horse){2}\d+\n(hunter2){2}correct horsehunter2-r--------\n$/)
  const [key, db] = ['[se://app/key]', '[se://app/db]']
  t.is(shown[2]?.replace(/\d+\n/g, ''), `${key}${key}${db}${db}${key}${db}-r--------\n`)
  t.is(shown[4], '0correct horse')
})

linux('a masked run on a terminal does without Node what JavaScript does', async (t) => {
  const { home } = await begin(t)
  await home.ok(['set', 'app/key'], { stdin: 'correct horse' })
  await home.ok(['set', 'word/a'], { stdin: 'admin' })
  const front = ['/usr/bin/env', `PATH=${pathWithoutNode(home)}`]
  const env = { ...home.env, TERM: 'xterm', X: 'se://app/key', Y: 'se://word/a' }
  const command = ['sh', '-c', 'test -t 0 && test -t 1 && echo "$X"; echo "$X" >/dev/tty; read -r line; exit 3']
  const label = '\\[se://app/key\\]\r\n'
  const all = `^\u001b\\[31mse:\u001b\\[39m not masked: word/a \\(too common\\)\r\nhint: [^\n]*\n${label}${label}$`
  for (const program of [js, [launcher]]) {
    const started = new OnPty([...front, ...program, 'run', '--mask', '--', ...command], env)
    await started.expect(new RegExp(all))
    started.send('\n')
    t.is(`${await started.status()}${started.shown}`, '3\r\n')
  }
})

unix('where a stream fails, redact says what JavaScript says', async (t) => {
  const { home } = await begin(t)
  await home.ok(['set', 'app/key'], { stdin: 'correct horse' })
  for (const [script, expected] of [
    ['echo correct horse | "$@" > /dev/full', /^1se: standard output cannot be written: no space left on device\n$/],
    [
      'echo correct horse > in; (ulimit -f 0; "$@" < in > out)',
      /^1se: standard output cannot be written: file too large\n$/,
    ],
    ['"$@" < /', /^2se: the input cannot be read\n$/],
    ['yes correct horse | "$@" | head -c 14; echo "${PIPESTATUS[1]}"', /^0\[se:\/\/app\/key\]0\n$/],
  ] as const) {
    if (script.includes('full') && process.platform !== 'linux') continue
    const seen: string[] = []
    for (const program of [js, [launcher]]) {
      const front = ['/usr/bin/env', `PATH=${pathWithoutNode(home)}`, ...program]
      const words = ['-c', script, 'bash', ...front, 'redact', '-e', 'X=se://app/key']
      const { status, stdout, stderr } = await home.se(words, { program: ['/bin/bash'] })
      seen.push(`${status}${stdout}${stderr}`)
    }
    t.is(seen[1], seen[0])
    t.regex(seen[1] ?? '', expected)
  }
})

unix('ten references are one request', async (t) => {
  const daemon = await begin(t)
  const { home, lines } = daemon
  const ids = ['app/db', 'app/lines', 'app/bytes', 'app/empty']
  const references = ids.flatMap((id) => [id, id.replace('app', '*'), id.replace('app', '**')]).slice(0, 10)
  const env = Object.fromEntries(references.map((reference, index) => [`X${index}`, `se://${reference}`]))
  const program = [launcher]
  const PATH = pathWithoutNode(home)
  t.is((await home.se(['run', '--', 'true'], { env: { ...env, PATH }, program })).status, 0)
  await home.ok(['get', 'app/db'], { env: { PATH }, program })
  const asked = ({ program: asker }: LogLine): boolean => String(asker).startsWith('se.')
  await daemon.logged((line) => asked(line) && JSON.stringify(line['patterns']) === '["app/db"]')
  t.deepEqual(
    lines.filter(asked).map(({ patterns }) => patterns),
    [references, ['app/db']],
  )
})

unix('everything unusual is handed over, and ends as JavaScript has it', async (t) => {
  const { home } = await begin(t)
  const work = join(home.folder, 'work')
  const X = { X: 'se://app/db' }
  const cases: [args: string[], env?: NodeJS.ProcessEnv, stdin?: string][] = [
    [[]],
    [['--version']],
    [['run']],
    [['run', '--help']],
    [['run', '--unknown', '--', 'true']],
    [['run', '-env=X', '--', 'true']],
    [['run', '-e', 'X', '--', 'true']],
    [['run', '-e', 'X=plain', '--', 'true']],
    [['run', '-e', 'SE_PASSPHRASE=se://app/db', '--', 'true']],
    [['run', '-f', 'missing.env', '-f', 'bad.env', '--', 'true'], X],
    [['run', '-f', '/dev/stdin', '--', 'env'], {}, 'FROM_PIPE=1\n'],
    [['run', '-f', '.', '--', 'true']],
    [['run', '--dry-run', '-f', '.env', '--', 'true']],
    [['run', '--no-daemon', '--', 'printenv', 'X'], X],
    [['run', '--', 'true'], { X: 'se://app/none', Y: 'se://app/*', Z: 'se://a//b', N: 'se://nul/a' }],
    [['run', '--', 'true'], { X: 'se://big/a' }],
    [['run', '--', 'true'], { X_FILE: 'se://app/db' }],
    [['run', '--', 'true'], { X: 'se://docker/secrets-engine/a' }],
    [['run', '--', 'printenv', 'X'], { X: 'se://fails/a' }],
    [['run', '--strict', '--', 'printenv', 'X'], { X: 'se://fails/a' }],
    [['run', '--', 'true'], { X: 'se://shared/a' }],
    [['run', '--', 'no-such-command'], X],
    [['run', '--', './bad.env'], X],
    [['run', '--', 'true'], { ...X, SE_TIMEOUT_MS: 'soon' }],
    [['run', '--', 'true'], { ...X, SE_STORE: 'nowhere' }],
    [['run', '--', 'printenv', 'X'], { ...X, SE_STORE_PATH: '/nowhere/store.age' }],
    [['run', '--', 'true'], { ...X, SE_SOCKET: '@nobody-listens-here' }],
    [['run', '--', 'printenv', 'X'], { ...X, XDG_RUNTIME_DIR: '/nowhere' }],
    [['run', '--env-from', 'se://app/**', '--', 'true'], { DB: 'se://app/db', LINES: '' }],
    [['run', '--env-from', 'se://none/**', '--', 'true']],
    [['run', '--env-from', 'se://shared/**', '--', 'true']],
    [['run', '--env-from', 'se://app/**', '--env-from', 'se://*/db', '--prefix', '1', '--', 'true']],
    [['run', '--env-from', 'se://*/a', '--env-from', 'se://**/a', '--', 'true']],
    [['run', '--prefix', 'A', '--', 'true']],
    [['run', '--prefix', 'A', '--prefix', 'B', '--env-from', 'se://app/**', '--', 'true']],
    [['run', '--mask=sometimes', '--', 'true'], X],
    [['run', '--mask', '--mask=always', '--', 'true'], X],
    [['run', '--mask=always', '--', 'true'], { ...X, Y: 'se://app/none' }],
    [['run', '--mask=always', '--', 'true'], { X: 'se://nul/a' }],
    [['run', '--mask=always', '--no-daemon', '--', 'printenv', 'X'], { X: 'se://app/lines' }],
    [['redact'], {}, 'hunter2'],
    [['redact', 'file'], X, 'hunter2'],
    [['redact', '--pattern', 'app/db'], X, 'hunter2'],
    [['redact', '--pattern', 'se://none/**'], X, 'hunter2'],
    [['redact', '--pattern', 'se://none/**', '--pattern', 'se://*/db'], X, 'hunter2'],
    [['redact', '--pattern', 'se://*/db'], { X: 'se://a//b' }, 'hunter2'],
    [['redact', '--pattern', 'se://app/**', '--github'], {}, 'hunter2 a b'],
    [['redact', '--pattern', 'se://shared/**'], {}, 'of the plugin, of the store'],
    [['redact', '--pattern', 'se://fails/**'], {}, 'beside a failure'],
    [['redact', '-f', 'bad.env'], X, 'hunter2'],
    [['redact', '--no-daemon'], X, 'hunter2'],
    [['run', '--file', 'K=se://app/db', '--', 'no-such-command']],
    [['run', '--file', 'K=se://app/db', '-e', 'K=se://app/db', '--', 'true']],
    [['run', '--file', 'K=se://app/db', '--file', 'K=se://app/db', '--', 'true']],
    [['run', '--file', 'K=se://app/db,mode=0440', '--', 'sh', '-c', 'cat "$K"']],
    [['run', '--file', 'K=se://app/db,path=/', '--', 'true']],
    [['run', '--file', 'SE_PASSPHRASE=se://app/db', '--', 'true']],
    [['run', '--file', 'K=app/db', '--', 'true']],
    [['run', '--file', 'K=se://app/none', '--', 'true']],
    [['get']],
    [['get', 'a', 'b']],
    [['get', 'a//b']],
    [['get', 'se://app/db']],
    [['get', 'app/none']],
    [['get', 'shared/a', '--reveal']],
    [['get', 'fails/a', '--reveal']],
    [['get', 'app/db', '--reveal', '--no-daemon']],
    [['get', 'app/db', '--reveal', '--output', 'file']],
    [['ls']],
    [['explode']],
  ]
  for (const [args, env = {}, stdin = ''] of cases) await both(t, home, args, { env, stdin, native: false })
  const { stdout } = await both(t, home, ['get', 'app/db', '--output', 'out'], { native: false })
  t.is(stdout.length, 0)
  t.is(readFileSync(join(work, 'out'), 'utf8'), 'hunter2')
})

unix('a configuration is understood as JavaScript does, which tells what is wrong with one', async (t) => {
  const { home } = await begin(t)
  const file = configFile(home)
  const text = readFileSync(file, 'utf8')
  const args = ['run', '--', 'printenv', 'X']
  const env = { X: 'se://app/db' }
  for (const more of [
    'other = 1\n',
    'a = [\n',
    '[daemon]\n',
    '[plugins.x]\n',
    '[plugins.x]\ncommand = ""\n',
    '[plugins.x]\ncommand = "x"\ntimeout_ms = 1.5\n',
    '[plugins.docker-pass]\ncommand = "x"\n',
    '[plugins."a b"]\ncommand = "x"\n',
    '[plugins.x]\ncommand = "x"\n[plugins.x.env]\nSE_PASSPHRASE = "x"\n',
    '[plugins.x]\ncommand = "x"\n[plugins.x]\ncommand = "x"\n',
    '[plugins.x]\ncommand = "x"\nenv = { A\n= "x" }\n',
    '[plugins.x]\ncommand = "\\u0000"\n',
  ]) {
    writeFileSync(file, text + more)
    t.is((await both(t, home, args, { env, native: false })).status, 125, more)
  }
  for (const more of [
    '[plugins.x]\ncommand = """x"""\npattern = "x/**"\n',
    "[plugins.x]\ncommand = 'x'\npattern = 'x/**'\n",
    '[plugins]\nx.command = ["x", "\\u00e9"]\nx.env.A_1 = ""\nx.pattern = "x/**"\n"y.z" .command = "y"\n"y.z".pattern = "y/**"\n',
    '[plugins.x]\r\ncommand = [ # first\r\n  "x",\r\n]\r\ntimeout_ms = 1_000\r\npattern = "x/**"\r\n',
  ]) {
    writeFileSync(file, text + more)
    t.is((await both(t, home, args, { env })).stdout.toString(), 'hunter2\n', more)
  }
  writeFileSync(file, text)
  chmodSync(file, 0o666)
  t.regex((await both(t, home, args, { env, native: false })).stderr, /others can write to it/)
  chmodSync(file, 0o600)
  t.is((await both(t, home, args, { env })).stdout.toString(), 'hunter2\n')
})

unix(
  'without a daemon, and with one that hangs or is another program, JavaScript says what it always says',
  async (t) => {
    const home = await createFileHome((fn) => t.teardown(fn))
    await home.ok(['set', 'app/db'], { stdin: 'hunter2' })
    const env = { X: 'se://app/db' }
    const args = ['run', '--', 'printenv', 'X']
    t.is((await both(t, home, args, { env, native: false })).stdout.toString(), 'hunter2\n')
    mkdirSync(join(home.folder, 'run/se-native'), { mode: 0o700 })
    await startHanging((fn) => t.teardown(fn), homeAddress(home))
    t.regex((await both(t, home, args, { env, native: false })).stderr, /is there and does not answer/)
  },
)

unix('where Node is missing, what needs it says so', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  const env = { PATH: pathWithoutNode(home) }
  for (const [args, status] of [
    [['run', '--help'], 125],
    [['ls'], 1],
  ] as const) {
    const ended = await home.se(args, { env, program: [launcher] })
    t.is(ended.status, status)
    t.regex(ended.stderr, /^se: Node\.js cannot be started: command not found: node\nhint: install Node\.js/)
  }
})

unix('called by Docker’s name it is Docker’s plugin', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  const [ours, theirs] = [join(home.folder, 'a'), join(home.folder, 'b')].map((folder) => {
    mkdirSync(folder)
    return join(folder, 'docker-pass')
  }) as [string, string]
  symlinkSync(launcher, ours)
  symlinkSync(cli, theirs)
  for (const args of [['docker-cli-plugin-metadata'], ['pass', 'ls'], ['pass', 'get', 'none']]) {
    const expected = await home.se(args, { program: [process.execPath, theirs] })
    t.deepEqual(await home.se(args, { program: [ours] }), expected)
  }
})

unix('a reader that goes away is no failure of get, as in JavaScript', async (t) => {
  const { home } = await begin(t)
  await home.ok(['set', 'big/b', '--verbatim'], { stdin: 'x'.repeat(1 << 20) })
  for (const program of [js, [launcher]]) {
    const script = `${program.map((word) => `"${word}"`).join(' ')} get big/b --reveal | head -c 1; echo " \${PIPESTATUS[0]}"`
    const ended = await home.se(['-c', script], { program: ['/bin/bash'] })
    t.is(ended.stdout.toString(), 'x 0\n')
  }
})

// Pieces that mean something to either reader, so that random texts are often files.
const pieces = ['A', 'B', 'export ', '=', '=', '\n', '\n', ' ', '\t', '#', '"', "'", '`', '\\n', '\\', 'x', '\r\n', 'ä']

unix('any env file is read alike', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  const PATH = pathWithoutNode(home)
  const file = join(home.folder, 'work/random.env')
  let [right, wrong] = [0, 0]
  const text = fc.array(fc.constantFrom(...pieces), { maxLength: 16 }).map((parts) => parts.join(''))
  await fc.assert(
    fc.asyncProperty(text, async (text) => {
      writeFileSync(file, text)
      const { variables, faults } = parseEnvFile(text)
      const { stdout, stderr } = await home.se(['run', '-f', file, '--', '/bin/cat', '/proc/self/environ'], {
        env: { PATH },
        program: [launcher],
      })
      if (faults.length > 0) {
        wrong++
        return t.regex(stderr, /Node\.js cannot be started/, JSON.stringify(text))
      }
      right++
      const set = new Map(variables.map(({ name, value }) => [name, value]))
      const expected = [...set].map(([name, value]) => `${name}=${value}\0`).join('')
      t.true(stdout.toString().endsWith(`\0${expected}`), JSON.stringify(text))
    }),
    { numRuns: process.platform === 'linux' ? 300 : 0 },
  )
  t.log(`${right} files, ${wrong} that are none`)
})

// Lines of config.toml, right and wrong, and what only one of two readers of TOML may take.
const configLines = [
  ...['', '# c', 'store = "file"', 'timeout_ms = 5000', 'timeout_ms = 0', 'timeout_ms = +1_0', 'timeout_ms = 0x1F'],
  ...['timeout_ms = 1.0', '"timeout_ms" = 7', "identity = 'k'", 'identity = """\nk"""', 'passphrase_file = "\\u00e9"'],
  ...[
    'passphrase_file = "\\e"',
    'other = 1',
    '[plugins]',
    '[plugins.a]',
    '[plugins.b]',
    '[[plugins.a]]',
    '[plugins.a.env]',
  ],
  ...['[plugins."a.b"]', "[plugins.'']", 'a.command = "/x"', 'command = "/x"', 'command = ["/x", ""]', 'command = []'],
  ...[
    'command = [\n"x", # c\n]',
    'args = ["\\t"]',
    'pattern = "a/**"',
    'pattern = "a//b"',
    'protocol = "lines"',
    'A = "1"',
  ],
  ...[
    '[daemon]',
    '[daemon.x]',
    'addresses = ["@a"]',
    'allowed_uids = [0, 1]',
    'allowed_uids = [-1]',
    'priority = ["a"]',
  ],
  ...[
    'idle_exit_seconds = 9',
    'idle_exit_seconds = 1979-05-27',
    'priority = ["a" "b"]',
    '\t',
    'x',
    '\r',
    '"',
    "'''",
    '\x7f',
  ],
]

unix('what the launcher takes of a config.toml, JavaScript takes, too', async (t) => {
  const { home } = await begin(t)
  const folder = join(home.folder, 'random')
  const file = join(folder, 'se-native/config.toml')
  mkdirSync(join(folder, 'se-native'), { recursive: true, mode: 0o700 })
  const env = { ...home.env, PATH: pathWithoutNode(home), XDG_CONFIG_HOME: folder, SE_STORE: 'file' }
  let [taken, left] = [0, 0]
  const text = fc.array(fc.constantFrom(...configLines), { maxLength: 6 }).map((lines) => lines.join('\n'))
  await fc.assert(
    fc.asyncProperty(text, async (text) => {
      writeFileSync(file, text, { mode: 0o600 })
      const ended = await home.se(['get', 'app/db', '--reveal'], { env, program: [launcher] })
      if (ended.status !== 0) {
        left++
        return t.regex(ended.stderr, /Node\.js cannot be started/, JSON.stringify(text))
      }
      taken++
      t.is(ended.stdout.toString(), 'hunter2')
      await t.notThrowsAsync(readConfig(env), JSON.stringify(text))
    }),
    { numRuns: process.platform === 'linux' ? 300 : 0 },
  )
  t.log(`${taken} taken, ${left} left to it`)
  if (process.platform === 'linux') t.true(taken > 10)
})

// As `env`, then where the launcher becomes the command itself, and where Node comes in between.
const fronts = [['/usr/bin/env'], [launcher, 'run', '--'], [launcher, 'run', '--no-daemon', '--']]

linux(
  'the command has every byte, signal, limit and descriptor as it was, also when Node came in between',
  async (t) => {
    const home = await createFileHome((fn) => t.teardown(fn))
    const odd = [Buffer.from([0x5a, 0x3d, 0xff]), 'A=1', 'A=2', 'none', Buffer.from([0xff, 0x3d])]
    const env = [...Object.entries(home.env).map(([name, value]) => `${name}=${value}`), ...odd]
    const state: Partial<Start> = {
      descriptors: { 3: ['/etc/passwd', 0], 9: ['pipe', 12], 20: ['/dev/null', 0] },
      ignored: [1, 13, 25, 40],
      blocked: [10, 34],
      softLimit: 128,
      umask: 0o027,
      nonblocking: [0, 1],
    }
    const script =
      'grep -E "^Sig(Blk|Ign|Cgt)|Umask" /proc/self/status; grep "open files" /proc/$$/limits; for fd in /proc/$$/fd/*; do n=${fd##*/}; ' +
      'echo "$n $(readlink $fd)" $(grep flags /proc/$$/fdinfo/$n); done; cat /proc/$$/environ; echo "pid $$"'
    const seen: string[] = []
    for (const front of fronts) {
      const argv = [...front, '/bin/bash', '-c', script, Buffer.from([0xff])]
      const started = start(home.folder, { argv, env, ...state })
      const status = await started.end()
      const [end, pid] = /pid (\d+)\n$/.exec(started.shown) ?? []
      t.is(Number(pid), started.child.pid ?? 0, started.shown)
      const plain = started.shown.replace(end ?? '', '').replace(/(pipe|socket):\[\d+\]/g, '$1')
      seen.push(`${plain.replace(/^(255|\d+ \/proc).*\n/gm, '')} ${status}`)
    }
    t.is(seen[1], seen[0])
    t.is(seen[2], seen[0])
    t.regex(seen[0] ?? '', /^SigIgn:\t0000008001001001$/m)
  },
)

linux('nohup protects a command that is started by the launcher, also when Node came in between', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  for (const front of fronts.slice(1)) {
    const shown = await home.ok([...front, 'cat', '/proc/self/status'], { program: ['nohup'] })
    t.regex(shown, /SigIgn:\t0{15}1\n/)
  }
})

linux('a forged note does no harm, and no program that is started sees one', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  const plain = await home.ok(['run', '--', 'cat', '/proc/self/environ', '/proc/self/status'], { program: js })
  for (const note of ['', '1', '1:1:ffffffffffffffff:0::0-9999:se', 'x:docker-pas', '1:$$:0:0:1:0-2']) {
    for (const program of [js, [launcher]]) {
      const shown = await home.ok(['run', '--no-daemon', '--', 'cat', '/proc/self/environ', '/proc/self/status'], {
        env: { SE_START: note },
        program,
      })
      const facts = (text: string) => [text.split('Name:')[0], /^SigIgn.*$/m.exec(text)?.[0]]
      t.deepEqual(facts(shown), facts(plain))
    }
  }
  const seen = await home.ok(['edit', '--help'], { program: [launcher] })
  t.regex(seen, /Usage/)
  await home.ok(['set', 'a/b'], { stdin: 'x' })
  const editor = join(home.folder, 'editor.sh')
  writeFileSync(editor, `#!/bin/sh\nenv > ${home.folder}/seen\n`, { mode: 0o755 })
  await home.se(['edit', 'a/b'], { env: { EDITOR: editor }, program: [launcher] })
  t.notRegex(readFileSync(join(home.folder, 'seen'), 'utf8'), /SE_START/)
})

linux('a closed stream stays closed', async (t) => {
  const { home } = await begin(t)
  for (const closed of ['<&-', '>&-', '2>&-', '<&- >&- 2>&-']) {
    const seen: string[] = []
    const se = `"${launcher}" run -e X=se://app/db`
    for (const front of ['env X=hunter2', `${se} --`, `${se} --no-daemon --`]) {
      const out = `${home.folder}/tmp/out`
      const script = `${front} /bin/sh -c 'exec 9>${out}; ls /proc/$$/fd >&9; echo $X >&9' ${closed}; cat ${out}`
      seen.push((await home.se(['-c', script], { program: ['/bin/sh'] })).stdout.toString())
    }
    t.is(seen[1], seen[0], closed)
    t.is(seen[2], seen[0], `${closed} through Node`)
    t.regex(seen[1] ?? '', /hunter2/)
  }
})
