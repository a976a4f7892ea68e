// curl against our daemon: what any program with HTTP gets.
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import anyTest from 'ava'
import { GET_SECRETS, type JsonEnvelope, type JsonError } from '../helpers/ask.js'
import { startDaemon } from '../helpers/daemon.js'
import { hasProgram } from '../helpers/programs.js'

const test = hasProgram('curl') ? anyTest.serial : anyTest.serial.skip
const run = promisify(execFile)

/** Sends JSON as a person would, and answers with the body and the status. */
async function curl(socket: string, path: string, ...args: string[]): Promise<[body: string, status: number]> {
  const url = `http://localhost${path}`
  const { stdout } = await run('curl', ['-sS', '--unix-socket', socket, url, '-w', '\n%{http_code}', ...args])
  const at = stdout.lastIndexOf('\n')
  return [stdout.slice(0, at), Number(stdout.slice(at + 1))]
}

const JSON_TYPE = ['-H', 'Content-Type: application/json', '-d'] as const

test('a pattern is answered with the envelopes, their values in base64', async (t) => {
  const daemon = await startDaemon(t)
  await daemon.home.ok(['set', 'foo'], { stdin: 'bar' })
  await daemon.home.ok(['set', 'team/db/password'], { stdin: 'päss\nword' })
  const [body, status] = await curl(daemon.socket, GET_SECRETS, '-X', 'POST', ...JSON_TYPE, '{"pattern": "**"}')
  t.is(status, 200, body)
  const { envelopes } = JSON.parse(body) as { envelopes: JsonEnvelope[] }
  const time = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/
  t.deepEqual(
    envelopes.map(({ createdAt, resolvedAt, ...others }) => {
      t.regex(createdAt, time)
      t.regex(resolvedAt, time)
      return others
    }),
    [
      { id: 'foo', value: 'YmFy', provider: 'docker-pass', version: '', expiresAt: '0001-01-01T00:00:00Z' },
      {
        id: 'team/db/password',
        value: Buffer.from('päss\nword').toString('base64'),
        provider: 'docker-pass',
        version: '',
        expiresAt: '0001-01-01T00:00:00Z',
      },
    ],
  )
})

test('nothing found, a bad pattern and bad JSON are errors that say so', async (t) => {
  const daemon = await startDaemon(t)
  const cases: readonly [body: string, status: number, code: string][] = [
    ['{"pattern":"none"}', 404, 'not_found'],
    ['{"pattern":"foo*"}', 400, 'invalid_argument'],
    ['{"pattern":', 400, 'invalid_argument'],
    ['{}', 400, 'invalid_argument'],
  ]
  for (const [sent, status, code] of cases) {
    const [body, got] = await curl(daemon.socket, GET_SECRETS, ...JSON_TYPE, sent)
    t.is(got, status, sent)
    t.is((JSON.parse(body) as JsonError).code, code, sent)
  }
})

test('health is ok, and the version is told', async (t) => {
  const daemon = await startDaemon(t)
  t.deepEqual(await curl(daemon.socket, '/health'), ['ok', 200])
  const [body] = await curl(daemon.socket, '/health.v1.VersionService/GetVersion', ...JSON_TYPE, '{}')
  t.regex((JSON.parse(body) as { version: string }).version, /^v\d+\.\d+\.\d+/)
})

test('a request that curl would rather make in HTTP/2 is answered in HTTP/1.1', async (t) => {
  const { stdout: version } = await run('curl', ['--version'])
  if (!/^Features: .*\bHTTP2\b/m.test(version)) return t.pass('this curl has no HTTP/2')
  const daemon = await startDaemon(t)
  await daemon.home.ok(['set', 'foo'], { stdin: 'bar' })
  t.deepEqual(await curl(daemon.socket, '/health', '--http2'), ['ok', 200])
  const [body, status] = await curl(daemon.socket, GET_SECRETS, '--http2', ...JSON_TYPE, '{"pattern":"foo"}')
  t.is(status, 200, body)
  t.is((JSON.parse(body) as { envelopes: JsonEnvelope[] }).envelopes[0]?.value, 'YmFy')
})
