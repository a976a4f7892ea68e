// Runs the built command line in folders of its own.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** The bundle. */
export const cli = join(root, 'dist/cli.cjs')

/** What a command line did. */
export interface Ended {
  stdout: Buffer
  stderr: string
  /** The exit status, or the name of the signal. */
  status: number | string
}

/** A home of its own. */
export interface Home {
  readonly folder: string
  /** The whole environment of commands: nothing of the real user's. */
  readonly env: NodeJS.ProcessEnv
  /** Runs `se`, without a terminal, wherever the tests run. */
  se(args: readonly string[], options?: RunOptions): Promise<Ended>
  /** Runs `se`, which must succeed, and answers with its output as text. */
  ok(args: readonly string[], options?: RunOptions): Promise<string>
}

/** How to run. */
export interface RunOptions {
  readonly stdin?: string | Uint8Array
  readonly env?: NodeJS.ProcessEnv
  /** Instead of the bundle run by this Node. */
  readonly program?: readonly string[]
}

/** Fails when the bundle is missing or older than its sources: a test of an old bundle proves nothing. */
export function checkBundle(): void {
  const newest = (folder: string): number =>
    Math.max(
      ...readdirSync(folder, { withFileTypes: true, recursive: true }).map(
        (file) => statSync(join(file.parentPath, file.name)).mtimeMs,
      ),
    )
  const built = statSync(cli, { throwIfNoEntry: false })?.mtimeMs ?? 0
  if (built < newest(join(root, 'src'))) throw new Error('dist/cli.cjs is missing or older than src: npm run build:ts')
}

/** Makes a home; `remove` takes the function that removes it, such as `t.teardown`. */
export function createHome(remove: (fn: () => void) => void): Home {
  const folder = mkdtempSync(join(tmpdir(), 'se-home-'))
  remove(() => rmSync(folder, { recursive: true, force: true }))
  for (const name of ['config', 'data', 'run', 'tmp', 'work']) mkdirSync(join(folder, name), { mode: 0o700 })
  const env: NodeJS.ProcessEnv = {
    PATH: process.env['PATH'],
    HOME: folder,
    XDG_CONFIG_HOME: join(folder, 'config'),
    XDG_DATA_HOME: join(folder, 'data'),
    XDG_RUNTIME_DIR: join(folder, 'run'),
    TMPDIR: join(folder, 'tmp'),
    LANG: 'C.UTF-8',
  }
  const se: Home['se'] = async (args, { stdin = '', env: more = {}, program = [process.execPath, cli] } = {}) => {
    const [file = '', ...first] = program
    const child = spawn(file, [...first, ...args], {
      env: { ...env, ...more },
      cwd: join(folder, 'work'),
      detached: true,
    })
    const stdout: Buffer[] = []
    const stderr: Buffer[] = []
    child.stdout.on('data', (chunk: Buffer) => stdout.push(chunk))
    child.stderr.on('data', (chunk: Buffer) => stderr.push(chunk))
    child.stdin.on('error', () => {}) // a command may end without reading
    child.stdin.end(stdin)
    const [code, signal] = await once(child, 'close')
    return { stdout: Buffer.concat(stdout), stderr: Buffer.concat(stderr).toString(), status: code ?? signal }
  }
  return {
    folder,
    env,
    se,
    async ok(args, options) {
      const ended = await se(args, options)
      if (ended.status !== 0) throw new Error(`se ${args[0]} ended with ${ended.status}: ${ended.stderr}`)
      return ended.stdout.toString()
    },
  }
}

/** Makes a home whose store is an encrypted file with a key file. */
export async function createFileHome(remove: (fn: () => void) => void): Promise<Home> {
  const home = createHome(remove)
  await home.ok(['store', 'use', 'file', '--key-file'])
  return home
}
