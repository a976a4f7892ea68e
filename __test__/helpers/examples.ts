// A home in which the examples of the pages on delivery can be typed: their secrets, their programs, and a shell.

import { execFile } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cli, createFileHome, type Home } from './se.js'

const root = fileURLToPath(new URL('../../', import.meta.url))

/** A page, as it is. */
export const readPage = (name: string): string => readFileSync(join(root, name), 'utf8')

/** The blocks of a page, or of a part of it, that are written in a language. */
export function blocksOf(page: string, language: string): string[] {
  const all = [...page.matchAll(/^```(\w+)\n(.*?)^```$/gms)]
  return all.filter(([, name]) => name === language).map(([, , text = '']) => text)
}

/** What stands below a heading. */
export function sectionOf(page: string, heading: string): string {
  const [, section] = page.split(`\n## ${heading}\n`)
  if (section === undefined) throw new Error(`no section ${heading}`)
  return section.split(/^## /m)[0] ?? ''
}

/** How a line of a shell has ended. */
export interface Shown {
  readonly stdout: string
  readonly stderr: string
  readonly status: number | string | null
}

/** A home for examples. */
export interface Shop {
  readonly home: Home
  /** Where lines are typed. */
  readonly work: string
  /** A private folder in memory, which stands for /dev/shm in examples: others may run them at the same time. */
  readonly memory: string
  /** Puts a shell script on the PATH. */
  program(name: string, text: string): void
  /** Types lines into a shell. */
  type(text: string, env?: NodeJS.ProcessEnv, shell?: readonly string[]): Promise<Shown>
}

/** Values of the secrets that the examples name. */
export const VALUES = {
  'postgres/prod/password': 's3cret',
  'github/token': 't0ken',
  'npm/token': 'npm-t0ken',
} as const

/** Makes the home. `docker` tells what it was given; `se` is the bundle. */
export async function createShop(remove: (fn: () => void) => void): Promise<Shop> {
  const home = await createFileHome(remove)
  const bin = join(home.folder, 'bin')
  const work = join(home.folder, 'work')
  mkdirSync(bin)
  const memory = mkdtempSync('/dev/shm/se-examples-')
  remove(() => rmSync(memory, { recursive: true, force: true }))
  home.env['PATH'] = `${bin}:${home.env['PATH']}`
  const program: Shop['program'] = (name, text) => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`)
    chmodSync(join(bin, name), 0o755)
  }
  program('se', `exec '${process.execPath}' '${cli}' "$@"`)
  program('docker', 'echo "docker $* with ${DB_PASSWORD-}${TOKEN-}${NPM_TOKEN-}"')
  for (const [id, value] of Object.entries(VALUES)) await home.ok(['set', id], { stdin: value })
  const { privateKey } = generateKeyPairSync('ed25519')
  await home.ok(['set', 'tls/key'], { stdin: privateKey.export({ type: 'pkcs8', format: 'pem' }) })
  writeFileSync(join(work, '.env'), 'DB_USER=app\nDB_PASSWORD=se://postgres/prod/password\n')
  writeFileSync(join(work, 'server.js'), 'console.log(process.env.DB_USER, process.env.DB_PASSWORD)\n')
  mkdirSync(join(work, 'node_modules'))
  symlinkSync(root, join(work, 'node_modules/se-native'))
  return {
    home,
    work,
    memory,
    program,
    type: (text, env = {}, [file, ...args] = ['sh', '-ec']) =>
      new Promise((settle) => {
        const options = { cwd: work, env: { ...home.env, ...env } }
        const child = execFile(file as string, [...args, text], options, (error, stdout, stderr) =>
          settle({ stdout, stderr, status: error === null ? 0 : (error.code ?? error.signal ?? null) }),
        )
        child.stdin?.end()
      }),
  }
}
