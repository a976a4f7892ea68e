// `se plugins` with a daemon, which knows more than the configuration: what runs.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { pluginTemplate } from '../../src/plugin-kit/templates.js'
import { startDaemon } from '../helpers/daemon.js'
import { checkBundle, createFileHome } from '../helpers/se.js'

test.before(checkBundle)

test('a plugin that is added, disabled or removed while a daemon runs is so for everybody at once', async (t) => {
  const daemon = await startDaemon(t)
  const { home } = daemon
  const [script] = pluginTemplate('vault', 'sh').files
  const program = join(home.folder, 'vault')
  writeFileSync(program, script?.text ?? '', { mode: 0o755 })
  const readAgain = async (times: number): Promise<void> => {
    await daemon.logged(
      () => daemon.lines.filter(({ message }) => message === 'the configuration was read again').length >= times,
    )
  }

  const added = await home.se(['plugins', 'add', 'vault', '--lines', '--pattern', 'vault/**', '--', program])
  t.regex(added.stderr, /^Written to .*\nThe daemon reads it again\.\n$/)
  await readAgain(1)
  t.is(await home.ok(['get', 'vault/hello', '--reveal']), 'world')
  t.regex(await home.ok(['explain', 'vault/hello']), /says the daemon at/)

  await home.ok(['plugins', 'disable', 'vault'])
  t.regex(await home.ok(['plugins', 'ls']), /^vault +- +vault\/\*\* +disabled$/m)
  t.is((await home.se(['get', 'vault/hello'])).status, 3)
  t.is((await home.se(['get', 'vault/hello', '--no-daemon'])).status, 3)
  await daemon.restart()
  t.regex(await home.ok(['plugins', 'ls']), /^vault +- +vault\/\*\* +disabled$/m)
  await home.ok(['plugins', 'enable', 'vault'])
  t.is(await home.ok(['get', 'vault/hello', '--reveal']), 'world')
  const unknown = await home.se(['plugins', 'disable', 'valt'])
  t.is(unknown.status, 3)
  t.regex(unknown.stderr, /hint: did you mean vault\?/)

  t.regex((await home.se(['plugins', 'remove', 'vault'])).stderr, /The daemon reads it again\.\n$/)
  await readAgain(1)
  t.notRegex(await home.ok(['plugins', 'ls']), /vault/)
  t.is((await home.se(['get', 'vault/hello'])).status, 3)
})

test('what is in the plugin folder and cannot be started is told by ls and doctor', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  const folder = join(home.folder, 'data/se-native/plugins')
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  const path = join(folder, 'vault')
  writeFileSync(path, '#!/bin/sh\n', { mode: 0o644 })
  writeFileSync(join(folder, 'README'), 'What is here', { mode: 0o644 })
  const { stdout, stderr } = await home.se(['plugins', 'ls'])
  t.notRegex(stdout.toString(), /vault|README/)
  t.is(stderr, `hint: no plugin is started from ${path}: it cannot be executed; chmod +x ${path}, or take it away\n`)
  const doctor = (await home.se(['doctor'])).stdout.toString()
  t.true(
    doctor.includes(
      `warn  plugin folder: no plugin is started from ${path}: it cannot be executed\n      chmod +x ${path}, or take it away\n`,
    ),
    doctor,
  )
  t.false(doctor.includes('README'))
})

test('how a plugin is doing is what the daemon says, and why it does not run is in its log', async (t) => {
  const config = `[plugins.gone]\ncommand = ["sh", "-c", "echo no luck; exit 9"]\npattern = "gone/**"`
  const daemon = await startDaemon(t, { config })
  await daemon.logged('a plugin ended')
  const list = JSON.parse(await daemon.home.ok(['plugins', 'ls', '--json'])) as Record<string, unknown>[]
  t.like(list[1], {
    name: 'gone',
    pattern: 'gone/**',
    enabled: true,
    builtIn: false,
    configurable: true,
    status: 'crashed',
  })
  t.regex(String(list[1]?.['message']), /^it ended with status 9 before it had registered; /)
  const { stderr, status } = await daemon.home.se(['get', 'gone/a'])
  t.is(status, 5, stderr)
  t.regex(stderr, /^se: gone: the plugin does not run: .*\nhint: se plugins logs gone shows what it wrote; .*\n$/)
  t.regex(await daemon.home.ok(['plugins', 'logs', 'gone']), /^no luck$/m)
  t.is((await daemon.home.se(['get', 'other'])).status, 3)
})
