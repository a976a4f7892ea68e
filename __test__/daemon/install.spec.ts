import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import anyTest, { type TestFn } from 'ava'
import { removeService, service, writeService } from '../../src/daemon/install.js'
import { hasProgram } from '../helpers/programs.js'
import { checkBundle, createHome } from '../helpers/se.js'

const test = anyTest as TestFn
const onLinux = (process.platform === 'linux' ? test : test.skip) as TestFn
const withSystemd = (hasProgram('systemd-analyze') ? test : test.skip) as TestFn
const env = { HOME: '/home/u', XDG_RUNTIME_DIR: '/run/user/7' }

test('on Linux the units go where systemd looks for those of the user', (t) => {
  const folders = [
    [env, '/home/u/.config/systemd/user'],
    [{ ...env, XDG_CONFIG_HOME: '/c' }, '/c/systemd/user'],
  ] as const
  for (const [variables, folder] of folders) {
    const { files } = service(['/usr/bin/node', '/opt/se/cli.cjs'], variables, 'linux')
    t.deepEqual(
      files.map(({ path }) => path),
      [`${folder}/se-native.service`, `${folder}/se-native.socket`],
    )
  }
})

test('a unit names the program whatever characters its path has', (t) => {
  const { files } = service(['/usr/bin/node', '/home/u/my "se"/100% $HOME/cli.cjs'], env, 'linux')
  const unit = files[0]?.text ?? ''
  t.true(unit.includes('\nExecStart=/usr/bin/node "/home/u/my \\"se\\"/100%% $$HOME/cli.cjs" daemon run\n'), unit)
  t.throws(() => service(['/usr/bin/node', '/a\nExecStartPre=/bin/evil'], env, 'linux'), { code: 'SE_UNSUPPORTED' })
})

withSystemd('systemd finds nothing wrong with the units', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'se-units-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const program = join(folder, 'with space & 100%', 'cli.cjs')
  mkdirSync(join(program, '..'))
  writeFileSync(program, '#!/bin/sh\n', { mode: 0o755 })
  const made = service(
    [process.execPath, program],
    { ...env, XDG_CONFIG_HOME: folder, XDG_RUNTIME_DIR: folder },
    'linux',
  )
  writeService(made)
  const paths = made.files.map(({ path }) => path)
  const environment = { ...process.env, XDG_RUNTIME_DIR: folder, XDG_CONFIG_HOME: folder, HOME: folder }
  const { status, stderr, stdout } = spawnSync('systemd-analyze', ['verify', '--user', '--man=no', ...paths], {
    env: environment,
    encoding: 'utf8',
  })
  t.is(status, 0, stderr)
  t.notRegex(stderr + stdout, /se-native/)
})

test('on macOS the agent is XML that names the program', (t) => {
  const { files, toStart } = service(
    ['/usr/local/bin/node', '/Users/u/a & <b>/cli.cjs'],
    { HOME: '/Users/u' },
    'darwin',
  )
  const [{ path, text } = { path: '', text: '' }] = files
  t.is(path, '/Users/u/Library/LaunchAgents/io.github.se-native.daemon.plist')
  t.regex(toStart[0]?.[0] ?? '', /^launchctl bootstrap gui\/\$\(id -u\) \/Users\/u\//)
  if (process.platform === 'linux' && hasProgram('python3')) {
    const script = 'import json, plistlib, sys; print(json.dumps(plistlib.loads(sys.stdin.buffer.read())))'
    const parsed = JSON.parse(execFileSync('python3', ['-c', script], { input: text, encoding: 'utf8' })) as object
    t.deepEqual(parsed, {
      Label: 'io.github.se-native.daemon',
      ProgramArguments: ['/usr/local/bin/node', '/Users/u/a & <b>/cli.cjs', 'daemon', 'run'],
      RunAtLoad: true,
      KeepAlive: { SuccessfulExit: false },
      ProcessType: 'Background',
      ExitTimeOut: 30,
      Umask: 0o77,
    })
  }
})

test('elsewhere there is no service', (t) => {
  t.throws(() => service(['node'], env, 'win32'), { code: 'SE_UNSUPPORTED' })
})

test('what was written is removed, and only that', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'se-units-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const made = service(['/usr/bin/node'], { ...env, XDG_CONFIG_HOME: folder }, 'linux')
  t.deepEqual(removeService(made), [])
  writeService(made)
  const other = join(folder, 'systemd/user/other.service')
  writeFileSync(other, '')
  writeService(made)
  t.is(removeService(made).length, 2)
  t.deepEqual(readdirSync(join(folder, 'systemd/user')), ['other.service'])
})

onLinux('install says what to run, and which variables a service will not have', async (t) => {
  checkBundle()
  const home = createHome((fn) => t.teardown(fn))
  const { stdout, stderr, status } = await home.se(['daemon', 'install'], { env: { SE_STORE: 'file' } })
  t.is(status, 0)
  const folder = join(home.folder, 'config/systemd/user')
  t.is(stdout.toString(), `Wrote ${folder}/se-native.service\nWrote ${folder}/se-native.socket\n`)
  t.regex(stderr, /^Now run:\n {2}systemctl --user daemon-reload {2}# /)
  t.regex(stderr, /hint: the service will not have SE_STORE: write what they say into config\.toml\n$/)
  t.regex(
    readFileSync(join(folder, 'se-native.socket'), 'utf8'),
    new RegExp(`^ListenStream=${home.folder}/run/se-native/`, 'm'),
  )
  const removed = await home.se(['daemon', 'install', '--uninstall'])
  t.is(removed.stdout.toString(), `Removed ${folder}/se-native.service\nRemoved ${folder}/se-native.socket\n`)
  t.is(await home.ok(['daemon', 'install', '--uninstall']), 'No service was installed.\n')
})
