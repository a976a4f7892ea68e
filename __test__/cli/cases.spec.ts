// Runs the case files beside this one: command lines with standard input, and what must come out. `{home}` stands for the
// folder of the case, `{store}` for the kind of its store; a text between slashes is a regular expression; bytes are written { "base64": … }.
// The cases of docker-pass.json are for the same program under that name, called as `docker` calls it. Cases with a command
// that the native launcher does are run by it as well, without a daemon and with one.
import { readdirSync, readFileSync, symlinkSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { startDaemon } from '../helpers/daemon.js'
import { keyringMissing, startKeyring } from '../helpers/keyring.js'
import { checkLauncher, launcher } from '../helpers/launcher.js'
import { checkBundle, cli, createHome, type Home } from '../helpers/se.js'

type Text = string | { readonly base64: string }

/** One command line. What is left out is empty, and the status 0. */
interface Step {
  readonly args: readonly string[]
  readonly stdin?: Text
  readonly env?: Readonly<Record<string, string>>
  readonly stdout?: Text
  readonly stderr?: string
  readonly status?: number | string
}

/** A sentence about behaviour, and the command lines that show it, in a home of its own. */
interface Case {
  readonly title: string
  /** The store that is there before: `file` with a key file, `any` for one case on that and one on a keyring, or none. */
  readonly store?: 'file' | 'any'
  readonly steps: readonly Step[]
}

const folder = new URL('.', import.meta.url)

const onAKeyring = keyringMissing() === undefined ? test.serial : test.serial.skip

const onUnix = process.platform === 'win32' ? test.serial.skip : test.serial

/** The commands that the launcher does, where it can. */
const NATIVE = ['run', 'get', 'redact']

test.before(() => {
  checkBundle()
  if (process.platform !== 'win32') checkLauncher()
})

for (const file of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
  const cases = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Case[]
  for (const { title, store, steps } of cases) {
    const name = `${file.replace('.json', '')}: ${title}`
    test.serial(store === 'any' ? `${name} (file)` : name, async (t) => {
      const home = createHome((fn) => t.teardown(fn))
      if (store !== undefined) await home.ok(['store', 'use', 'file', '--key-file'])
      await run(t, steps, home, program(file, home), 'file')
    })
    // What opens a store is not the launcher's, and takes long.
    if (
      !['docker-pass.json', 'store.json'].includes(file) &&
      steps.some(({ args }) => NATIVE.includes(args[0] ?? ''))
    ) {
      const native = { name: 'se', words: [launcher] }
      onUnix(`${name} (launcher)`, async (t) => {
        const home = createHome((fn) => t.teardown(fn))
        if (store !== undefined) await home.ok(['store', 'use', 'file', '--key-file'])
        await run(t, steps, home, native, 'file')
      })
      if (store !== undefined) {
        onUnix(`${name} (launcher, daemon)`, async (t) => {
          const { home } = await startDaemon(t)
          await run(t, steps, home, native, 'file')
        })
      }
    }
    if (store === 'any') {
      onAKeyring(`${name} (keychain)`, async (t) => {
        await using keyring = await startKeyring()
        const home = createHome((fn) => t.teardown(fn))
        await run(t, steps, home, program(file, home), 'keychain', {
          DBUS_SESSION_BUS_ADDRESS: keyring.env['DBUS_SESSION_BUS_ADDRESS'],
        })
      })
    }
  }
}

/** The words that a case's arguments follow, and what they are called in messages. */
interface Program {
  readonly name: string
  readonly words: readonly string[]
}

function program(file: string, home: Home): Program {
  if (file !== 'docker-pass.json') return { name: 'se', words: [process.execPath, cli] }
  const link = join(home.folder, 'docker-pass')
  symlinkSync(cli, link)
  return { name: 'docker pass', words: [process.execPath, link, 'pass'] }
}

async function run(
  t: ExecutionContext,
  steps: readonly Step[],
  home: Home,
  { name, words }: Program,
  store: string,
  bus?: NodeJS.ProcessEnv,
): Promise<void> {
  const place = (text: string): string => text.replaceAll('{home}', home.folder).replaceAll('{store}', store)
  for (const step of steps) {
    const args = step.args.map(place)
    const own = Object.entries(step.env ?? {}).map(([variable, value]) => [variable, place(value)])
    const env = { ...bus, ...Object.fromEntries(own) }
    const ended = await home.se(args, { stdin: bytesOf(step.stdin ?? ''), env, program: words })
    const what = `${name} ${args.join(' ')}`
    compare(t, ended.stderr, place(step.stderr ?? ''), `${what}: stderr`)
    if (typeof step.stdout === 'object') t.deepEqual(ended.stdout, bytesOf(step.stdout), `${what}: stdout`)
    else compare(t, ended.stdout.toString(), place(step.stdout ?? ''), `${what}: stdout`)
    t.is(ended.status, step.status ?? 0, `${what}: status`)
  }
}

function bytesOf(text: Text): Buffer {
  return typeof text === 'string' ? Buffer.from(text) : Buffer.from(text.base64, 'base64')
}

function compare(t: ExecutionContext, actual: string, expected: string, what: string): void {
  if (/^\/.*\/s?$/s.test(expected)) t.regex(actual, new RegExp(expected.slice(1, expected.lastIndexOf('/')), 's'), what)
  else t.is(actual, expected, what)
}
