// The lines of README.md and docs/recipes.md that build an image, typed where Docker builds: a step has the secret, and
// the image, its history and the cache do not.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import anyTest, { type TestFn } from 'ava'
import { type Builder, findBuilder, startBuilder } from '../helpers/builder.js'
import { Canary, canaryInFiles } from '../helpers/canary.js'
import { blocksOf, createShop, readPage, sectionOf } from '../helpers/examples.js'
import { checkBundle } from '../helpers/se.js'

const found = findBuilder()
const test = (found !== undefined ? anyTest.serial : anyTest.serial.skip) as TestFn
const removed: (() => unknown)[] = []
let builder: Builder

anyTest.before(async () => {
  checkBundle()
  if (found !== undefined) builder = await startBuilder(found, (fn) => removed.push(fn))
})
anyTest.after.always(async () => {
  for (const remove of removed.reverse()) await remove()
})

const [readme = ''] = /`(TOKEN=\S+ se run -- docker build .*?)`/.exec(readPage('README.md'))?.slice(1) ?? []
const [recipe = ''] = blocksOf(sectionOf(readPage('docs/recipes.md'), 'docker build'), 'sh')

for (const [where, line, id, secret] of [
  ['README.md', readme, 'github/token', 'token'],
  ['docs/recipes.md', recipe, 'npm/token', 'npm'],
] as const) {
  test(`an image is built with a secret by the line of ${where}, and does not have it`, async (t) => {
    const canary = Canary.random()
    const shop = await createShop((fn) => t.teardown(fn))
    await shop.home.ok(['set', id, '--force', '--verbatim'], { stdin: canary.text })
    shop.program('docker', `exec '${builder.docker}' "$@"`)
    const hash = createHash('sha256').update(canary.bytes).digest('hex')
    copyFileSync('/bin/busybox', join(shop.work, 'busybox'))
    const label = `se-native.test=${hash.slice(0, 12)}`
    const check = `test "$(/bin/busybox sha256sum < /run/secrets/${secret})" = "${hash}  -"`
    const step = JSON.stringify(['/bin/busybox', 'sh', '-c', check])
    const file = [
      'FROM scratch',
      `LABEL ${label}`,
      'COPY busybox /bin/',
      `RUN --mount=type=secret,id=${secret} ${step}`,
    ]
    writeFileSync(join(shop.work, 'Dockerfile'), `${file.join('\n')}\n`)
    writeFileSync(join(shop.work, '.dockerignore'), '*\n!busybox\n')
    const built = await shop.type(line, builder.env)
    t.is(built.status, 0, built.stderr)
    const docker = (...args: string[]): Buffer =>
      spawnSync(builder.docker, args, { env: { ...process.env, ...builder.env }, maxBuffer: 1 << 28 }).stdout
    const image = docker('image', 'ls', '--quiet', '--filter', `label=${label}`).toString().trim()
    t.regex(image, /^[0-9a-f]+$/)
    const saved = docker('save', image)
    t.true(saved.length > 1_000_000)
    t.is(canary.foundIn(saved), undefined)
    t.is(canary.foundIn(docker('history', '--no-trunc', image)), undefined)
    if (builder.data !== undefined) t.deepEqual(canaryInFiles(canary, builder.data), [])
    t.is(canary.foundIn(built.stdout + built.stderr), undefined)
    // With another secret the step fails, which shows what it is given.
    await shop.home.ok(['set', id, '--force'], { stdin: 'another' })
    const another = await shop.type(line.replace(' .', ' --no-cache .'), builder.env)
    t.not(another.status, 0)
    t.true(another.stderr.includes(`sha256sum < /run/secrets/${secret}`), another.stderr)
    // An image that has it shows that it would have been found.
    writeFileSync(join(shop.work, 'busybox'), canary.bytes)
    writeFileSync(join(shop.work, 'Dockerfile'), `FROM scratch\nLABEL ${label} leak=${canary.text}\nCOPY busybox /\n`)
    t.is((await shop.type('docker build --tag se-native-leak .', builder.env)).status, 0)
    t.truthy(canary.foundIn(docker('save', 'se-native-leak')))
    t.truthy(canary.foundIn(docker('history', '--no-trunc', 'se-native-leak')))
    if (builder.data !== undefined) t.not(canaryInFiles(canary, builder.data).length, 0)
    docker('image', 'rm', '--force', 'se-native-leak')
    docker('image', 'rm', image)
  })
}
