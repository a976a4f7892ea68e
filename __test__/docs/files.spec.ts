// Runs the examples of docs/files.md with secrets of the kinds that they name.
import { spawnSync } from 'node:child_process'
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { hasProgram } from '../helpers/programs.js'
import { checkBundle, cli, createFileHome } from '../helpers/se.js'

const page = readFileSync(new URL('../../docs/files.md', import.meta.url), 'utf8')
const linux = hasProgram('openssl') && hasProgram('ssh-keygen') ? test.serial : test.serial.skip

test.before(checkBundle)

linux('the examples of the page do what it says', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  const bin = join(home.folder, 'bin')
  mkdirSync(bin)
  writeFileSync(join(bin, 'se'), `#!/bin/sh\nexec '${process.execPath}' '${cli}' "$@"\n`)
  chmodSync(join(bin, 'se'), 0o755)
  const env = { ...home.env, PATH: `${bin}:${process.env['PATH']}` }
  const shell = (text: string): string => {
    const { stdout, stderr, status } = spawnSync('sh', ['-ec', text], { env, encoding: 'utf8', cwd: home.folder })
    t.is(status, 0, `${text}${stderr}`)
    return stdout
  }
  shell('openssl genpkey -algorithm ed25519 | se set tls/key --verbatim')
  shell('printf 12345 | se set shop/db/password')
  shell('ssh-keygen -q -t ed25519 -N "" -f id && se set ssh/deploy --verbatim < id')

  const examples = [...page.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, text = '']) => text)
  const [tls = '', postgres = '', ssh = '', ...others] = examples
  t.deepEqual(others, [])
  t.regex(shell(tls), /^-----BEGIN PUBLIC KEY-----\n/)
  t.is(shell(postgres).trim(), '5')
  t.is(shell(ssh).split(' ')[1], readFileSync(join(home.folder, 'id.pub'), 'utf8').split(' ')[1])
  t.false(existsSync('/dev/shm/deploy-key'))
})
