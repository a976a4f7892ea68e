// Runs the examples of the README as it says to install them, by npm link into a home of their own: the commands with a
// psql and a server.js that show what they were given, the programs on the built package.
import { spawnSync } from 'node:child_process'
import { appendFileSync, chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { checkBundle, createHome } from '../helpers/se.js'

const root = fileURLToPath(new URL('../..', import.meta.url))
const page = readFileSync(join(root, 'README.md'), 'utf8')
const blocks = (language: string): string[] =>
  [...page.matchAll(/^```(\w+)\n(.*?)^```$/gms)].filter(([, name]) => name === language).map(([, , text = '']) => text)

test.before(checkBundle)

test('the examples of the README do what they say', (t) => {
  const home = createHome((fn) => t.teardown(fn))
  const [prefix, work] = [join(home.folder, '.local'), join(home.folder, 'work')]
  const bin = join(prefix, 'bin')
  mkdirSync(bin, { recursive: true })
  const program = (name: string, text: string): void => {
    writeFileSync(join(bin, name), `#!/bin/sh\n${text}\n`)
    chmodSync(join(bin, name), 0o755)
  }
  program('psql', 'echo "psql $* with $PGPASSWORD"')
  writeFileSync(join(work, 'server.js'), 'console.log(process.env.DB_USER, process.env.DB_PASSWORD)')
  const npm = { NPM_CONFIG_PREFIX: prefix, NPM_CONFIG_AUDIT: 'false', NPM_CONFIG_OFFLINE: 'true' }
  const env = { ...home.env, ...npm, PATH: `${bin}:${process.env['PATH']}` }
  const shell = (text: string, cwd = work): string => {
    const { stdout, stderr, status } = spawnSync('sh', ['-ec', text], { env, encoding: 'utf8', cwd })
    t.is(status, 0, `${text}${stderr}`)
    return stdout
  }

  const [machine, install, keep, files, ways, store, daemon, plugin, forTable, ...others] = blocks('sh')
  t.deepEqual(
    [...(machine ?? '').matchAll(/^bash (\S+)/gm)].map(([, script]) => script),
    ['scripts/demo.sh', 'scripts/test.sh'],
  )
  t.deepEqual(others, [])
  const [, setUp, link, native, linkLibrary] =
    /^bash (\S+) && (npm link) .*\n(se setup native) .*\n(npm link se-native) .*\n$/.exec(install ?? '') ?? []
  t.is(setUp, 'scripts/setup.sh') // it has run: the package is built
  shell(link ?? '', root)
  shell(native ?? '')
  shell('npm init --yes')
  shell(linkLibrary ?? '')
  t.regex(shell('command -v se'), new RegExp(`^${bin}/se\n$`))
  shell('se store use file --key-file')
  t.is(shell(keep ?? ''), 's3cretpsql -h localhost -U app with s3cret\n')
  t.is(shell(files ?? ''), 'app s3cret\n')
  const masked = 'app [se://postgres/prod/password]\n'
  t.is(shell(ways ?? ''), `psql -h localhost -U app with s3cret\ns3cret${masked}`)
  t.regex(shell(store ?? ''), /^Store: +file/m)

  // What the lines of the table need, which docs/delivery.spec.ts types.
  shell(forTable ?? '')
  t.is(
    readFileSync(join(work, 'server.js'), 'utf8').trim(),
    'console.log(process.env.DB_USER, process.env.DB_PASSWORD)',
  )
  const isPlugin = (text: string): boolean => text.startsWith('// demo.mjs\n')
  const printed = blocks('js')
    .filter((text) => !isPlugin(text))
    .map((text, index) => {
      const tail =
        '\nif (typeof password === "string") console.log(password)\nif (typeof env === "object") console.log(env.TOKEN)'
      writeFileSync(join(work, `${index}.mjs`), `const socket = process.stdout\n${text}${tail}`)
      return shell(`TOKEN=se://github/token node ${index}.mjs`)
    })
  t.deepEqual(printed, ['t0kens3cret\n', 'postgres/prod/password Secret(postgres/prod/password) [redacted]\nt0ken\n'])

  // Not Docker's address: it is the same for every home.
  appendFileSync(
    join(home.folder, 'config/se-native/config.toml'),
    '[daemon]\naddresses = ["../../run/se-native/daemon.sock"]\n',
  )
  t.teardown(() => spawnSync(join(bin, 'se'), ['daemon', 'stop'], { env }))
  const asked = shell(daemon ?? '')
  const { envelopes } = JSON.parse(asked.slice(asked.indexOf('{"envelopes"'))) as { envelopes: object[] }
  const [shown] = blocks('json').map((text) => JSON.parse(text).envelopes[0] as object)
  t.deepEqual(Object.keys(envelopes[1] ?? {}), Object.keys(shown ?? {}))
  t.like(envelopes[1], { id: 'postgres/prod/password', value: 'czNjcmV0', provider: 'docker-pass', version: '' })

  writeFileSync(join(work, 'demo.mjs'), blocks('js').find(isPlugin) ?? '')
  const [start, ...rest] = (plugin ?? '').split('\n')
  const registered = 'for n in $(seq 100); do se plugins ls | grep -q ^demo && break; done'
  const told = shell(`${start}\n${registered}\n${rest.join('\n')}\nkill $!`)
  t.regex(told, /^demo +demo\/\*\* +answered +1/m)
  t.regex(told, /^from demo.mjs/m)
  t.regex(told, /^demo +v1\.0\.0 +demo\/\*\* +disabled/m)

  // One that has left can be enabled all the same, once.
  shell('for n in $(seq 100); do se plugins ls | grep -q ^demo || break; done; se plugins enable demo')
  shell('! se plugins enable demo')
})
