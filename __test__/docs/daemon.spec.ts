// Runs the examples of docs/daemon.md and docs/wire.md, and checks their tables against what the code says.

import { execFile, spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import anyTest, { type ExecutionContext, type TestFn } from 'ava'
import { readConfig } from '../../src/config/config.js'
import { DEFAULT_LIMITS } from '../../src/daemon/limits.js'
import { configureDaemon, homeAddress } from '../helpers/daemon.js'
import { goMissing, whileBuilding } from '../helpers/go.js'
import { hasProgram } from '../helpers/programs.js'
import { checkBundle, cli, createHome, type Home } from '../helpers/se.js'

const test = (process.platform === 'win32' ? anyTest.skip : anyTest) as TestFn
const onLinux = (process.platform === 'linux' ? test : test.skip) as TestFn
const withCurl = (hasProgram('curl') ? test : test.skip) as TestFn

const withGo = (goMissing() === undefined ? test : test.skip) as TestFn

const read = (name: string): string => readFileSync(new URL(`../../docs/${name}`, import.meta.url), 'utf8')
const blocks = (page: string, language: string): string[] =>
  [...page.matchAll(/^```(\w+)\n(.*?)^```$/gms)].filter(([, name]) => name === language).map(([, , text = '']) => text)

const daemonPage = read('daemon.md')
const wirePage = read('wire.md')
const [life = '', systemd = '', , job = '', ...others] = blocks(daemonPage, 'sh')

test.before(checkBundle)

/** A home whose store is a file with a passphrase, and a shell in it that knows `se`. */
async function start(t: ExecutionContext): Promise<{ home: Home; shell(text: string): string }> {
  const home = createHome((fn) => t.teardown(fn))
  const env = { SE_PASSPHRASE: 'open sesame' }
  await home.ok(['store', 'use', 'file', '--passphrase'], { env })
  await home.ok(['set', 'postgres/prod'], { stdin: 's3cret', env })
  configureDaemon(home)
  t.teardown(() => home.se(['daemon', 'stop']))
  const bin = join(home.folder, 'bin')
  mkdirSync(bin)
  const program = (name: string, text: string): void => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`)
    chmodSync(join(bin, name), 0o755)
  }
  program('se', `exec '${process.execPath}' '${cli}' "$@"`)
  // What is enabled must have been installed.
  program(
    'systemctl',
    'test "$*" = "--user enable --now $4" && test -f "$XDG_CONFIG_HOME/systemd/user/$4" && echo "$4"',
  )
  writeFileSync(join(home.folder, 'work/passphrase-file'), 'open sesame\n', { mode: 0o600 })
  return {
    home,
    shell(text) {
      const { stdout, stderr, status } = spawnSync('sh', ['-ec', text], {
        env: { ...home.env, PATH: `${bin}:${process.env['PATH']}` },
        encoding: 'utf8',
        cwd: join(home.folder, 'work'),
      })
      t.is(status, 0, `${text}${stderr}`)
      return stdout
    },
  }
}

test('a daemon is started, shown, unlocked and stopped as docs/daemon.md says', async (t) => {
  t.deepEqual(others, [])
  const { home, shell } = await start(t)
  t.regex(shell(life), /^The daemon runs [^]*\nStore: +file, [^]*\nThe daemon \(pid \d+\) has ended\.\n$/)
  shell(job)
  t.is(await home.ok(['get', 'postgres/prod', '--reveal']), 's3cret')
})

onLinux('the units that docs/daemon.md enables are those that are installed', async (t) => {
  const { shell } = await start(t)
  t.regex(shell(systemd), /\nse-native\.service\n$/)
  const [, socket = ''] = /# or (\S+):/.exec(systemd) ?? []
  t.is(shell(`systemctl --user enable --now ${socket}`), 'se-native.socket\n')
})

test('the configuration in docs/daemon.md is understood', async (t) => {
  const { home } = await start(t)
  const file = join(home.folder, 'page.toml')
  writeFileSync(file, blocks(daemonPage, 'toml')[0] ?? '')
  const { daemon } = await readConfig({ ...home.env, SE_CONFIG: file })
  t.deepEqual(daemon, {
    addresses: [join(home.folder, 'se.sock'), '@my-engine'],
    idleExitSeconds: 600,
    allowedUids: [1001],
    priority: ['vault'],
  })
})

test('the limits in docs/daemon.md are those of the daemon', (t) => {
  const [, table = ''] = daemonPage.split('\n## Limits\n')
  const rows = new Map(
    [...table.matchAll(/^\| ([^|]+) \| ([^|]+) \|$/gm)].map(([, what = '', how = '']) => [what, how]),
  )
  const kib = (bytes: number): string => `${bytes >> 10} KiB`
  const mib = (bytes: number): string => `${bytes >> 20} MiB`
  const seconds = (ms: number): string => `${ms / 1000} s`
  const count = (number: number): string => number.toLocaleString('en')
  const limits = DEFAULT_LIMITS
  t.is(rows.get('head of a request'), kib(limits.maxHeaderBytes))
  t.is(rows.get('body of a request'), `${kib(limits.maxBodyBytes)}; of \`GetBatch\` ${mib(limits.maxBatchBytes)}`)
  t.is(rows.get('connections'), count(limits.maxConnections))
  t.is(rows.get('requests under way'), count(limits.maxRequests))
  t.is(rows.get('secrets in an answer'), count(limits.maxEnvelopes))
  t.is(
    rows.get('bytes of an answer'),
    `${mib(limits.maxAnswerBytes)}; of all that wait to be read ${mib(limits.maxPendingBytes)}`,
  )
  t.is(
    rows.get('a request that comes slowly'),
    `${seconds(limits.headersTimeoutMs)} for its head, ${seconds(limits.requestTimeoutMs)} for all of it`,
  )
  t.is(rows.get('a caller that does not read its answer'), seconds(limits.answerTimeoutMs))
  t.true(rows.get('an idle connection')?.startsWith(`${seconds(limits.keepAliveTimeoutMs)}, `))
})

withCurl('curl gets the fields and the error that docs/wire.md shows', async (t) => {
  const { shell } = await start(t)
  const [example = ''] = blocks(wirePage, 'sh')
  shell(job)
  const ask = (pattern: string): Record<string, unknown> => JSON.parse(shell(example.replace('postgres/**', pattern)))
  const { envelopes } = ask('postgres/**') as { envelopes: Record<string, unknown>[] }
  const [, fields = ''] = /GetSecrets\(\{pattern\}\) → \{envelopes: \[\{(.*)\}\]\}/.exec(wirePage) ?? []
  // Metadata is left out when there is none.
  t.deepEqual([...Object.keys(envelopes[0] ?? {}), 'metadata'], fields.split(', '))
  t.like(envelopes[0], { id: 'postgres/prod', value: 'czNjcmV0', expiresAt: '0001-01-01T00:00:00Z' })
  const [shown] = blocks(wirePage, 'json').map((text) => JSON.parse(text) as Record<string, unknown>)
  const { details, ...error } = ask('nothing/here')
  t.deepEqual({ ...error, details: [] }, shown)
  const [detail] = details as { type: string }[]
  t.is(detail?.type, 'senative.engine.v1.Failure')
})

withGo('the Go program on docs/wire.md gets the secrets', async (t) => {
  const { home, shell } = await start(t)
  const [program = ''] = blocks(wirePage, 'go')
  const folder = join(home.folder, 'work')
  // Not Docker's address, which is the same for every home, and not a second, which a busy machine may need for more.
  const [, call = '', other = ''] = /(client\.New\(\)).*another: (.*)/.exec(program) ?? []
  const named = other.replace('path)', `${JSON.stringify(homeAddress(home))}), client.WithResponseTimeout(0)`)
  writeFileSync(join(folder, 'main.go'), program.replace(call, named))
  // What go mod init and go get would do.
  for (const name of ['go.mod', 'go.sum'])
    copyFileSync(fileURLToPath(new URL(`../go/${name}`, import.meta.url)), join(folder, name))
  const env = { ...process.env, GOFLAGS: '-mod=mod -buildvcs=false' }
  await whileBuilding(t, promisify(execFile)('go', ['build', '-o', 'example', '.'], { cwd: folder, env }))
  shell(job)
  t.is(shell('./example'), 'postgres/prod 6 bytes\n')
})

test('the modules that docs/wire.md names are those that the tests build with', (t) => {
  const needed = readFileSync(new URL('../go/go.mod', import.meta.url), 'utf8')
  const versions = [...needed.matchAll(/github\.com\/docker\/secrets-engine\/(client|plugin) (v\S+)/g)]
  t.is(versions.length, 2)
  for (const [, module, version] of versions) t.true(wirePage.includes(`\`${module}\` ${version}`), module)
})
