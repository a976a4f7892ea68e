// Runs the examples of docs/recipes.md: with the program that they are for where tests can have it, else as it would run them.
import { spawnSync } from 'node:child_process'
import { chmodSync, copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import anyTest, { type ExecutionContext, type TestFn } from 'ava'
import { blocksOf, createShop, readPage, type Shop, sectionOf } from '../helpers/examples.js'
import { hasProgram } from '../helpers/programs.js'
import { checkBundle } from '../helpers/se.js'

const test = (process.platform === 'linux' ? anyTest : anyTest.skip) as TestFn
const having = (name: string): TestFn => (hasProgram(name) ? test : test.skip) as TestFn

const page = readPage('docs/recipes.md')
const blocks = (heading: string, language: string): string[] => blocksOf(sectionOf(page, heading), language)
const masked = 'app [se://postgres/prod/password]\n'

test.before(checkBundle)

async function start(t: ExecutionContext): Promise<Shop> {
  const shop = await createShop((fn) => t.teardown(fn))
  await shop.type(blocksOf(page, 'sh')[0] ?? '')
  return shop
}

async function shows(t: ExecutionContext, shop: Shop, line: string, wanted: string, env = {}): Promise<void> {
  const { stdout, stderr, status } = await shop.type(line, env)
  t.is(status, 0, `${line}: ${stderr}`)
  t.is(stdout, wanted, line)
}

test('npm scripts', async (t) => {
  const shop = await start(t)
  const text = blocks('npm scripts', 'json')[0] ?? ''
  const { scripts } = JSON.parse(text) as { scripts: Record<string, string> }
  // One that watches does not end.
  const ending = scripts['dev']?.replace('--watch ', '')
  writeFileSync(join(shop.work, 'package.json'), JSON.stringify({ scripts: { ...scripts, dev: ending } }))
  await shows(t, shop, 'npm start --silent', 'app s3cret\n')
  await shows(t, shop, 'npm run dev --silent', masked, { CI: 'true' })
  await shows(t, shop, 'npm run check --silent', 'DB_PASSWORD=se://postgres/prod/password (.env:2)\n')
})

test('the task and the launch configuration of VS Code', async (t) => {
  const shop = await start(t)
  const [tasks, launch] = blocks('VS Code', 'json').map((text) =>
    JSON.parse(text.replaceAll('${workspaceFolder}', shop.work)),
  )
  const quoted = (words: string[]): string => words.map((word) => `'${word}'`).join(' ')
  const [task] = tasks.tasks
  await shows(t, shop, quoted([task.command, ...task.args]), 'app s3cret\n')
  const [configuration] = launch.configurations
  const variables = parseEnv(readFileSync(configuration.envFile, 'utf8'))
  const words = [configuration.runtimeExecutable, ...configuration.runtimeArgs, configuration.program]
  await shows(t, shop, quoted(words), 'app s3cret\n', variables)
})

test('the script of a JetBrains configuration', async (t) => {
  const shop = await start(t)
  await shows(t, shop, blocks('JetBrains', 'sh')[0] ?? '', 'app s3cret\n')
})

test('what PM2 is told to start', async (t) => {
  const shop = await start(t)
  const file = join(shop.work, 'ecosystem.config.cjs')
  writeFileSync(file, blocks('PM2', 'js')[0] ?? '')
  const { apps } = createRequire(file)(file) as { apps: { script: string; args: string; interpreter: string }[] }
  t.is(apps[0]?.interpreter, 'none')
  await shows(t, shop, `${apps[0]?.script} ${apps[0]?.args}`, 'app s3cret\n')
})

/** A home whose store has a passphrase, in a folder as the pages have it. */
async function withPassphrase(t: ExecutionContext, folder: string): Promise<Shop> {
  const shop = await start(t)
  mkdirSync(join(shop.work, folder), { mode: 0o700 })
  const at = {
    SE_STORE_PATH: join(shop.work, folder, 'store.age'),
    SE_IDENTITY: join(shop.work, folder, 'identity.age'),
  }
  const env = { ...at, SE_PASSPHRASE: 'open sesame' }
  await shop.home.ok(['store', 'use', 'file', '--passphrase'], { env })
  await shop.home.ok(['set', 'postgres/prod/password'], { stdin: 's3cret', env })
  await shop.home.ok(['set', 'tls/key'], { stdin: 'a key', env })
  return shop
}

having('systemd-analyze')('the units for systemd', async (t) => {
  const shop = await withPassphrase(t, 'lib')
  const credentials = join(shop.work, 'credentials')
  const runtime = join(shop.home.folder, 'run')
  mkdirSync(credentials)
  mkdirSync(join(runtime, 'shop'))
  writeFileSync(join(credentials, 'passphrase'), 'open sesame\n')
  const [service = '', withParent = '', other = '', ...more] = blocks('systemd', 'ini')
  t.deepEqual(more, [])
  // The lines for a parent that stays are to be added to the first unit.
  const units = [`${service}${withParent}`, other].map((text) =>
    text
      .replaceAll('/usr/local/bin/se', join(shop.home.folder, 'bin/se'))
      .replaceAll('/usr/bin/node', process.execPath)
      .replaceAll('/srv/shop', shop.work)
      .replaceAll('/var/lib/shop', join(shop.work, 'lib'))
      .replaceAll('User=shop', 'User=nobody'),
  )
  const told: string[] = []
  for (const [index, unit] of units.entries()) {
    const file = join(shop.work, `shop-${index}.service`)
    writeFileSync(file, unit)
    const { status, stderr, stdout } = spawnSync('systemd-analyze', ['verify', '--man=no', file], {
      env: { PATH: process.env['PATH'], SYSTEMD_LOG_LEVEL: 'warning' },
      encoding: 'utf8',
    })
    t.is(status, 0, stderr + stdout)
    t.false(stderr.includes(`shop-${index}`), stderr)
    const settings = [...unit.matchAll(/^(\w+)=(.*)$/gm)].map(([, name, value = '']) => ({
      name,
      value: value.replaceAll('%d', credentials).replaceAll('%t', runtime),
    }))
    const env = settings.filter(({ name }) => name === 'Environment').flatMap(({ value }) => value.split(' '))
    for (const { name, value } of settings) {
      if (name !== 'ExecStart' && name !== 'ExecStartPre') continue
      const { stdout, stderr, status } = await shop.type(value, parseEnv(env.join('\n')))
      t.is(status, 0, `${value}: ${stderr}`)
      told.push(stdout)
    }
  }
  t.deepEqual(told, ['app s3cret\n', '', 'undefined undefined\n'])
  t.is(readFileSync(join(runtime, 'shop/tls.key'), 'utf8'), 'a key')
})

having('direnv')('direnv', async (t) => {
  const shop = await start(t)
  const [secrets = '', references = ''] = blocks('direnv', 'sh')
  const envrc = join(shop.work, '.envrc')
  writeFileSync(envrc, secrets)
  await shows(t, shop, 'direnv allow\ndirenv exec . node server.js', 'app s3cret\n')
  writeFileSync(join(shop.work, '.env'), 'DB_PASSWORD=se://no/such\n')
  const failed = await shop.type('direnv exec . node server.js')
  t.is(failed.status, 1)
  t.is(failed.stdout, '')
  writeFileSync(envrc, references)
  await shows(t, shop, 'direnv allow\ndirenv exec . node server.js', 'app se://postgres/prod/password\n')
  await shows(t, shop, 'direnv exec . se run -- node server.js', 'app s3cret\n')
})

test('the steps for GitHub Actions', async (t) => {
  const shop = await withPassphrase(t, 'secrets')
  // As a checkout has them.
  for (const name of ['secrets/store.age', 'secrets/identity.age']) chmodSync(join(shop.work, name), 0o644)
  chmodSync(join(shop.work, 'secrets'), 0o755)
  for (const [name, text] of [
    ['deploy.sh', 'exec node server.js'],
    ['report.sh', 'echo s3cret$SE_PASSPHRASE'],
  ] as const) {
    writeFileSync(join(shop.work, name), `#!/bin/sh\n${text}\n`)
    chmodSync(join(shop.work, name), 0o755)
  }
  const workflow = blocks('GitHub Actions', 'yaml')[0] ?? ''
  const settings = Object.fromEntries(
    [...workflow.matchAll(/^ {6}(SE_\w+): (.*)$/gm)].map(([, name = '', value = '']) => [name, value]),
  )
  t.deepEqual(Object.keys(settings), ['SE_STORE', 'SE_STORE_PATH', 'SE_IDENTITY'])
  const [install, chmod = '', deploy = '', report = ''] = [...workflow.matchAll(/ - run: (.*)/g)].map(
    ([, line]) => line,
  )
  t.is(install, 'npm install --global se-native')
  const env = { ...settings, CI: 'true' }
  const bash = ['bash', '--noprofile', '--norc', '-eo', 'pipefail', '-c']
  const refused = await shop.type(deploy, { ...env, SE_PASSPHRASE: 'open sesame' }, bash)
  t.regex(refused.stderr, /chmod 600/)
  t.is((await shop.type(chmod, env, bash)).status, 0)
  const deployed = await shop.type(deploy, { ...env, SE_PASSPHRASE: 'open sesame' }, bash)
  t.is(deployed.stdout, masked, deployed.stderr)
  const reported = await shop.type(report, { ...env, SE_PASSPHRASE: 'open sesame' }, bash)
  t.regex(reported.stdout, /^::add-mask::s3cret\n/, reported.stderr)
  t.regex(reported.stdout, /\n\[se:\/\/postgres\/prod\/password\]\n$/)
})

test('what docker is given', async (t) => {
  const shop = await start(t)
  const [build = ''] = blocks('docker build', 'sh')
  await shows(t, shop, build, 'docker build --secret id=npm,env=NPM_TOKEN . with npm-t0ken\n')
  const [up = ''] = blocks('Docker Compose', 'sh')
  await shows(t, shop, up, 'docker compose up with s3cret\n')
  const [compose = ''] = blocks('Docker Compose', 'yaml')
  t.regex(compose, /\n {4}environment: DB_PASSWORD\n$/)
})

having('ssh-agent')('a key for ssh, by an agent and by a path', async (t) => {
  const shop = await start(t)
  await shop.type("ssh-keygen -q -t ed25519 -N '' -C '' -f key\nse set deploy/key --verbatim < key")
  const [agent = '', path = ''] = blocks('ssh', 'sh')
  await shows(
    t,
    shop,
    `cut -d' ' -f1-2 key.pub > wanted\nssh-agent sh -c '${agent}\nssh-add -L | cut -d" " -f1-2 | diff - wanted'`,
    '',
  )
  // OpenSSH refuses a key that others can read.
  shop.program('ssh', 'ssh-keygen -y -f "$2" && echo "$3"')
  const { stdout } = await shop.type('cat wanted')
  await shows(t, shop, path.replaceAll('/dev/shm', shop.memory), `${stdout}deploy@example.com\n`)
})

test('a line of a crontab', async (t) => {
  const shop = await start(t)
  copyFileSync(join(shop.work, 'server.js'), join(shop.work, 'backup.cjs'))
  writeFileSync(join(shop.work, 'backup.sh'), `#!/bin/sh\nexec '${process.execPath}' '${shop.work}/backup.cjs'\n`)
  chmodSync(join(shop.work, 'backup.sh'), 0o755)
  const [line = ''] = blocks('cron', 'crontab')
  const command = line
    .trim()
    .replace(/^(\S+ ){5}/, '')
    .replaceAll('/usr/local/bin/se', join(shop.home.folder, 'bin/se'))
    .replaceAll('/srv/shop', shop.work)
  await shows(t, shop, command, masked, { PATH: '/usr/bin:/bin' })
})

test('every example is run', (t) => {
  const all = [...page.matchAll(/^```(\w+)$/gm)].map(([, language]) => language)
  t.deepEqual(
    all.toSorted(),
    [
      ...['crontab', 'dockerfile', 'ini', 'ini', 'ini', 'js', 'json', 'json', 'json'],
      ...['sh', 'sh', 'sh', 'sh', 'sh', 'sh', 'sh', 'sh', 'yaml', 'yaml'],
    ].toSorted(),
  )
})
