// Runs the case files beside this one: command lines with standard input, and what must come out. `{home}` stands for the
// folder of the case; a text between slashes is a regular expression; bytes are written { "base64": … }.
import { readdirSync, readFileSync } from 'node:fs'
import test, { type ExecutionContext } from 'ava'
import { checkBundle, createHome } from '../helpers/se.js'

type Text = string | { readonly base64: string }

/** One command line. What is left out is empty, and the status 0. */
interface Step {
  readonly args: readonly string[]
  readonly stdin?: Text
  readonly env?: Readonly<Record<string, string>>
  readonly stdout?: Text
  readonly stderr?: string
  readonly status?: number
}

/** A sentence about behaviour, and the command lines that show it, in a home of its own. */
interface Case {
  readonly title: string
  /** The store that is there before: `file` with a key file, or none. */
  readonly store?: 'file'
  readonly steps: readonly Step[]
}

const folder = new URL('.', import.meta.url)

test.before(checkBundle)

for (const file of readdirSync(folder).filter((name) => name.endsWith('.json'))) {
  const cases = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as Case[]
  for (const { title, store, steps } of cases) {
    test.serial(`${file.replace('.json', '')}: ${title}`, async (t) => {
      const home = createHome((fn) => t.teardown(fn))
      if (store === 'file') await home.ok(['store', 'use', 'file', '--key-file'])
      for (const step of steps) {
        const args = step.args.map((word) => word.replaceAll('{home}', home.folder))
        const env = Object.fromEntries(
          Object.entries(step.env ?? {}).map(([name, value]) => [name, value.replaceAll('{home}', home.folder)]),
        )
        const ended = await home.se(args, { stdin: bytesOf(step.stdin ?? ''), env })
        const what = `se ${args.join(' ')}`
        compare(t, ended.stderr, step.stderr ?? '', home.folder, `${what}: stderr`)
        if (typeof step.stdout === 'object') t.deepEqual(ended.stdout, bytesOf(step.stdout), `${what}: stdout`)
        else compare(t, ended.stdout.toString(), step.stdout ?? '', home.folder, `${what}: stdout`)
        t.is(ended.status, step.status ?? 0, `${what}: status`)
      }
    })
  }
}

function bytesOf(text: Text): Buffer {
  return typeof text === 'string' ? Buffer.from(text) : Buffer.from(text.base64, 'base64')
}

function compare(t: ExecutionContext, actual: string, expected: string, home: string, what: string): void {
  const wanted = expected.replaceAll('{home}', home)
  if (/^\/.*\/s?$/s.test(expected)) t.regex(actual, new RegExp(wanted.slice(1, wanted.lastIndexOf('/')), 's'), what)
  else t.is(actual, wanted, what)
}
