// Many programs that want the same at the same time: what a daemon is for.
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import anyTest, { type TestFn } from 'ava'
import { definePlugin, runPlugin } from '../../src/index.js'
import { startDaemon } from '../helpers/daemon.js'
import { LineProgram } from '../helpers/go.js'
import { checkBundle } from '../helpers/se.js'

const test = (process.platform === 'win32' ? anyTest.skip : anyTest) as TestFn
const root = fileURLToPath(new URL('../..', import.meta.url))

const REFERENCES = 150
const PROCESSES = 10

/** Loads all that it needs, waits for a line, and resolves all references in one batch with a mark of its own. */
const PROGRAM = `
import { once } from 'node:events'
import { connect, resolveEnv } from 'se-native'
await (await connect()).close()
console.log('ready')
await once(process.stdin, 'data')
const variables = { MARK: 'se://mark/' + process.argv[2] }
for (let n = 0; n < ${REFERENCES}; n++) variables['V' + n] = 'se://vault/' + n
console.log(JSON.stringify(await resolveEnv(variables)))
process.exit()
`

test('150 references that ten processes resolve at once cost a plugin one call for each', async (t) => {
  // Plugins in this process take SIGTERM, by which a test that hangs is ended.
  t.timeout(100_000)
  checkBundle()
  const daemon = await startDaemon(t)
  const { home, socket } = daemon

  // The vault answers nobody before each process has asked. Its mark comes with its batch, so it tells of all of that.
  const asked: string[] = []
  const marks = new Set<string>()
  let release = (): void => {}
  const all = new Promise<void>((settle) => {
    release = settle
  })
  const vault = definePlugin({
    name: 'vault',
    version: 'v1.0.0',
    pattern: 'vault/**',
    async getSecrets({ text }) {
      asked.push(text)
      await all
      return [{ id: text, value: `value of ${text}` }]
    },
  })
  const mark = definePlugin({
    name: 'mark',
    version: 'v1.0.0',
    pattern: 'mark/**',
    getSecrets({ text }) {
      marks.add(text)
      if (marks.size === PROCESSES) release()
      return [{ id: text, value: text }]
    },
  })
  for (const plugin of [vault, mark]) {
    void runPlugin(plugin, { socket })
    await daemon.logged(({ message, plugin: name }) => name === plugin.name && message === 'a plugin connected')
  }

  const work = join(home.folder, 'work')
  mkdirSync(join(work, 'node_modules'))
  symlinkSync(root, join(work, 'node_modules/se-native'))
  const program = join(work, 'program.mjs')
  writeFileSync(program, PROGRAM)
  const processes = Array.from({ length: PROCESSES }, (_, n) => {
    const started = new LineProgram(process.execPath, [program, `${n}`], home.env)
    t.teardown(() => started.stop())
    return started
  })
  await Promise.all(processes.map((one) => one.line(/^ready$/)))
  const answers = await Promise.all(processes.map((one) => one.ask<Record<string, string>>('go')))

  const expected = Object.fromEntries(Array.from({ length: REFERENCES }, (_, n) => [`V${n}`, `value of vault/${n}`]))
  for (const [n, answer] of answers.entries()) t.deepEqual(answer, { MARK: `mark/${n}`, ...expected })
  t.is(new Set(asked).size, REFERENCES)
  t.is(asked.length, REFERENCES, 'each was asked for once')
})
