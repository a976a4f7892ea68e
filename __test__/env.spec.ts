// `se env`: what it prints is read back by the programs that it is for.
import { spawnSync } from 'node:child_process'
import { parseEnv } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { parseEnvFile } from '../src/deliver/env-file.js'
import { checkBundle, createHome, type Home } from './helpers/se.js'

test.before(checkBundle)

const VALUES = ['plain', "it's", 'a "b" $c `d` \\ # e', '', 'two\nlines\n', 'ä€𝄞', '\\n', ' spaces '] as const

async function homeWith(t: ExecutionContext, values: readonly (string | Uint8Array)[]): Promise<Home> {
  const home = createHome((fn) => t.teardown(fn))
  await home.ok(['store', 'use', 'file', '--key-file'])
  for (const [index, stdin] of values.entries()) await home.ok(['set', `v/${index}`, '--verbatim'], { stdin })
  return home
}

const flags = (count: number): string[] =>
  Array.from({ length: count }, (_, index) => ['-e', `V${index}=se://v/${index}`]).flat()

test.serial('shells, JSON readers and env file readers get every value back', async (t) => {
  const home = await homeWith(t, VALUES)
  const json = await home.ok(['env', '--format', 'json', ...flags(VALUES.length)])
  t.deepEqual(Object.values(JSON.parse(json)), [...VALUES])

  const shell = await home.ok(['env', ...flags(VALUES.length)])
  const print = `printf '%s\\0' ${VALUES.map((_, index) => `"$V${index}"`).join(' ')}`
  for (const program of ['sh', 'bash']) {
    const { stdout } = spawnSync(program, ['-c', `${shell}\n${print}`], { env: {} })
    t.is(stdout.toString(), VALUES.map((value) => `${value}\0`).join(''))
  }

  const writable = VALUES.length - 6
  const dotenv = await home.ok(['env', '--format', 'dotenv', ...flags(VALUES.length).slice(0, writable * 2)])
  t.deepEqual(Object.values(parseEnv(dotenv)), VALUES.slice(0, writable))
  t.deepEqual(
    parseEnvFile(dotenv).variables.map(({ value }) => value),
    VALUES.slice(0, writable),
  )
})

test.serial('only what differs from the environment is printed', async (t) => {
  const home = await homeWith(t, ['one'])
  const text = await home.ok(['env'], { env: { A: 'se://v/0', B: 'plain' } })
  t.is(text, "export A='one'\n")
  t.is(await home.ok(['env']), '')
  t.is(await home.ok(['env', '--format', 'json']), '{}\n')
})

test.serial('bytes that are not UTF-8 go to a shell, and are refused where text is wanted', async (t) => {
  const home = await homeWith(t, [Buffer.from([0xff, 0x27, 0xfe])])
  const ended = await home.se(['env', ...flags(1)])
  t.deepEqual(
    ended.stdout,
    Buffer.concat([
      Buffer.from("export V0='"),
      Buffer.from([0xff]),
      Buffer.from("'\\''"),
      Buffer.from([0xfe]),
      Buffer.from("'\n"),
    ]),
  )
  for (const format of ['json', 'dotenv']) {
    const refused = await home.se(['env', '--format', format, ...flags(1)])
    t.is(refused.status, 1)
    t.is(refused.stdout.length, 0)
    t.regex(refused.stderr, /^se: V0 is not UTF-8 text\nhint: use --format shell\n$/)
  }
})

test.serial('all problems are told, and nothing is printed', async (t) => {
  const home = await homeWith(t, ['one'])
  const ended = await home.se(['env', '-e', 'A=se://v/none', '-e', 'B=se://v/0', '-e', 'C_FILE=se://v/0'])
  t.is(ended.status, 3)
  t.is(ended.stdout.length, 0)
  t.regex(ended.stderr, /^se: A: no secret .*\n(hint: .*\n)?se: C_FILE means a file/)
})
