// Commands that open a store or an engine are kept from other processes' eyes before they do.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { statSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import test from 'ava'
import type { Command, CommandEntry } from '../../src/cli/command.js'
import { COMMANDS, HIDDEN } from '../../src/cli/commands.js'
import { checkBundle, cli, createHome } from '../helpers/se.js'

const linux = process.platform === 'linux' ? test.serial : test.serial.skip

/** Arguments that bring each command to its store. */
const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  set: ['a=v'],
  get: ['a'],
  ls: [],
  rm: ['a'],
  mv: ['a', 'b'],
  cp: ['a', 'b'],
  generate: ['a'],
  edit: ['a'],
  run: ['-e', 'A=se://a', '--', 'true'],
  env: ['-e', 'A=se://a'],
  redact: ['--pattern', 'se://a'],
  explain: ['a'],
  unlock: [],
  lock: [],
  'plugins ls': [],
  'plugins enable': ['a'],
  'plugins disable': ['a'],
  'plugins test': ['./a'],
  'daemon run': [],
  doctor: [],
  store: [],
  'store use': ['file'],
  'store import': ['file'],
  'store export': ['file'],
  'store passphrase': ['--remove'],
  'store rotate': [],
  'store recipient': [],
  __complete: ['--', 'get', ''],
}

const STORELESS = [
  'completion',
  'daemon',
  'daemon install',
  'daemon logs',
  'daemon start',
  'daemon status',
  'daemon stop',
  'help',
  'plugins',
  'plugins add',
  'plugins init',
  'plugins logs',
  'plugins remove',
  'setup',
  'setup docker',
  'setup native',
  'version',
]

async function all(entries: readonly CommandEntry[]): Promise<Command[]> {
  const commands = await Promise.all(entries.map((entry) => entry.load()))
  return [...commands, ...(await Promise.all(commands.map(({ commands = [] }) => all(commands)))).flat()]
}

test.before(checkBundle)

test('only commands that open nothing are storeless', async (t) => {
  const commands = await all([...COMMANDS, ...HIDDEN])
  const names = (storeless: boolean): string[] =>
    commands.filter((command) => (command.storeless ?? false) === storeless).map(({ name }) => name)
  t.deepEqual(names(true).sort(), STORELESS)
  t.deepEqual(names(false).sort(), Object.keys(ARGUMENTS).sort())
})

// The kernel gives the /proc files of a process that cannot be dumped to root. As root there would be no difference, so
// se runs as somebody else then, with the one capability that lets it read where it lies.
const somebody = process.getuid?.() === 0 ? 65_534 : process.getuid?.()
const asSomebody =
  process.getuid?.() === 0
    ? ['setpriv', '--reuid=65534', '--inh-caps=+dac_override', '--ambient-caps=+dac_override', '--']
    : []

for (const [name, args] of Object.entries(ARGUMENTS)) {
  linux(`se ${name} is hardened before it reads its configuration`, async (t) => {
    const home = createHome((fn) => t.teardown(fn))
    const config = join(home.folder, 'config.toml')
    await once(spawn('mkfifo', [config]), 'close')
    const [file = '', ...words] = [...asSomebody, process.execPath, cli, ...name.split(' '), ...args]
    const child = spawn(file, words, { env: { ...home.env, SE_CONFIG: config }, stdio: 'ignore' })
    const ended = once(child, 'close')
    const writer = await open(config, 'w') // waits until it is opened for reading
    t.is(statSync(`/proc/${child.pid}/maps`).uid, 0)
    t.is(statSync(`/proc/${child.pid}`).uid, somebody ?? -1)
    child.kill('SIGKILL')
    await ended
    await writer.close()
  })
}
