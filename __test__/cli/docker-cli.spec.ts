// se as a plugin of Docker's own command line.
import { lstatSync, mkdirSync, readFileSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { VERSION } from '../../src/version.js'
import { hasProgram } from '../helpers/programs.js'
import { checkBundle, cli, createFileHome, type Ended, type Home } from '../helpers/se.js'

const withDocker = hasProgram('docker') ? test : test.skip

test.before(checkBundle)

/** A home in which `docker pass` is this program. */
async function createDocker(t: ExecutionContext) {
  const home = await createFileHome((fn) => t.teardown(fn))
  await home.ok(['setup', 'docker'])
  const docker = (args: readonly string[], options: Parameters<Home['se']>[1] = {}): Promise<Ended> =>
    home.se(args, { ...options, program: ['docker'] })
  return { home, docker }
}

withDocker('docker finds the plugin and shows it in its help', async (t) => {
  const { docker } = await createDocker(t)
  const { stdout } = await docker(['--help'])
  t.regex(stdout.toString(), /^ {2}pass\* +Manage secrets/m)
  t.regex(
    (await docker(['info', '--format', '{{json .ClientInfo.Plugins}}'])).stdout.toString(),
    /"Vendor":"se-native".*"Name":"pass"/,
  )
})

withDocker('docker pass keeps, shows, lists and removes secrets', async (t) => {
  const { docker, home } = await createDocker(t)
  const said = async (...args: string[]) => {
    const { status, stderr, stdout } = await docker(['pass', ...args])
    return [status, stdout.toString(), stderr]
  }
  t.deepEqual(await said('set', 'app/db=hunter2'), [0, '', ''])
  t.deepEqual(await said('set', 'app/db=hunter3'), [0, '', ''])
  t.deepEqual(await said('get', 'app/db'), [0, 'ID: app/db\nValue: **********\n', ''])
  t.deepEqual(await said('ls'), [0, 'app/db\n', ''])
  t.is(await home.ok(['get', 'app/db', '--reveal']), 'hunter3')
  t.deepEqual(await said('get', 'app/none'), [1, '', 'secret not found\n'])
  t.deepEqual(await said('rm', 'app/none'), [0, 'RM: app/none\n', ''])
  t.deepEqual(await said('rm', '--all'), [0, 'RM: app/db\n', ''])
  t.deepEqual(await said('set', 'a', '--nope'), [1, '', 'unknown flag: --nope\n'])
  const [status, help] = await said('nope')
  t.is(status, 0)
  t.regex(help as string, /^Usage: {2}docker pass COMMAND/)
})

withDocker('docker pass takes values from standard input, byte for byte', async (t) => {
  const { docker, home } = await createDocker(t)
  const value = Buffer.from([0, 255, 10, 128, 10])
  t.is((await docker(['pass', 'set', 'bytes'], { stdin: value })).status, 0)
  t.deepEqual((await home.se(['get', 'bytes', '--reveal'])).stdout, value)
})

withDocker('docker hands its own flags on, and the plugin passes them over', async (t) => {
  const { docker, home } = await createDocker(t)
  const config = ['--config', join(home.folder, '.docker')]
  for (const flags of [['--debug'], ['--log-level', 'warn'], ['--context=default'], config]) {
    const { status, stderr } = await docker([...flags, 'pass', 'ls'])
    t.is(stderr, '', flags.join(' '))
    t.is(status, 0, flags.join(' '))
  }
})

withDocker('docker pass run gives a command its secrets, its standard input and its status', async (t) => {
  const { docker } = await createDocker(t)
  await docker(['pass', 'set', 'app/db=hunter2'])
  const run = ['pass', 'run', '--', 'sh', '-c']
  const env = { X: 'se://app/db' }
  const { status, stdout } = await docker([...run, 'cat; echo $X; exit 3'], { stdin: 'through ', env })
  t.is(stdout.toString(), 'through hunter2\n')
  t.is(status, 3)
  const missing = await docker([...run, 'echo started'], { env: { X: 'se://app/none' } })
  t.deepEqual([missing.status, missing.stdout.toString(), missing.stderr], [1, '', 'resolving X: secret not found\n'])
  t.is((await docker(['pass', 'run', 'no-such-command'])).status, 127)
})

withDocker('docker pass run leaves flags after the command’s dashes to the command', async (t) => {
  const { docker } = await createDocker(t)
  const { stdout } = await docker(['pass', 'run', '--', 'echo', '--env-file', '-x', '--help'])
  t.is(stdout.toString(), '--env-file -x --help\n')
})

test('the plugin completes commands and ids, as newer versions of docker ask it to', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  await home.ok(['setup', 'docker'])
  await home.ok(['set', 'app/db'], { stdin: 'hunter2' })
  const program = [process.execPath, join(home.folder, '.docker/cli-plugins/docker-pass'), '__complete', 'pass']
  const offered = (...words: string[]) => home.ok(words, { program })
  t.regex(await offered('r'), /^rm\tRemove secrets\nrun\t.*\n:4\n$/)
  t.is(await offered('get', 'a'), 'app/db\t\n:4\n')
  t.is(await offered('run', '-f', ''), ':0\n')
})

test('setup docker makes a link, again without a word, and spares another program', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  const link = join(home.folder, '.docker/cli-plugins/docker-pass')
  t.regex(
    (await home.se(['setup', 'docker'])).stderr,
    /docker-pass leads to .*cli\.cjs: docker pass is this program\.\n$/,
  )
  t.is(readlinkSync(link), cli)
  t.is((await home.se(['setup', 'docker'])).status, 0)
  const other = join(home.folder, 'other')
  mkdirSync(join(other, 'cli-plugins'), { recursive: true })
  const theirs = join(other, 'cli-plugins/docker-pass')
  writeFileSync(theirs, 'theirs')
  const env = { DOCKER_CONFIG: other }
  const refused = await home.se(['setup', 'docker'], { env })
  t.is(refused.status, 1)
  t.regex(refused.stderr, /docker-pass is another program\nhint: replace it: se setup docker --force\n$/)
  t.is(readFileSync(theirs, 'utf8'), 'theirs')
  t.is((await home.se(['setup', 'docker', '--force'], { env })).status, 0)
  t.true(lstatSync(theirs).isSymbolicLink())
})

test('the plugin says what it is, as Docker wants it', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  await home.ok(['setup', 'docker'])
  const program = [process.execPath, join(home.folder, '.docker/cli-plugins/docker-pass')]
  const { stdout } = await home.se(['docker-cli-plugin-metadata'], { program })
  t.deepEqual(JSON.parse(stdout.toString()), {
    SchemaVersion: '0.1.0',
    Vendor: 'se-native',
    Version: `v${VERSION}`,
    ShortDescription: 'Manage secrets of the OS keychain or an encrypted file',
  })
})
