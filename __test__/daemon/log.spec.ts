import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { createLog, type LogTarget, MAX_PENDING_BYTES, type RequestEntry } from '../../src/daemon/log.js'
import { fileTarget, logFile, olderLogFile } from '../../src/daemon/log-target.js'
import { asRoot } from '../helpers/foreign.js'

const entry: RequestEntry = {
  id: 'r1',
  requester: { pid: 7, name: 'curl', path: '/usr/bin/curl' },
  procedure: '/resolver.v1.ResolverService/GetSecrets',
  patterns: ['a/*'],
  outcome: 'answered',
  latencyMs: 1.23456,
  secrets: 2,
}

const onUnix = process.platform === 'win32' ? test.skip : test
const onLinux = process.platform === 'linux' ? test.serial : test.serial.skip
const root = asRoot()

/** A target in memory. `take` says how many bytes it takes of those offered; it may throw. */
function memory(take: (offered: number) => number | Promise<number> = (offered) => offered) {
  const chunks: Buffer[] = []
  const target: LogTarget = {
    async write(bytes) {
      const count = await take(bytes.length)
      chunks.push(Buffer.from(bytes.subarray(0, count)))
      return count
    },
    close() {},
  }
  const text = (): string => Buffer.concat(chunks).toString()
  const lines = (): Record<string, unknown>[] => parseLines(text())
  return { target, text, lines }
}

function parseLines(text: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

function deferred(): { promise: Promise<void>; resolve: () => void } {
  let resolve!: () => void
  const promise = new Promise<void>((settle) => {
    resolve = settle
  })
  return { promise, resolve }
}

function folderFor(t: ExecutionContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'se-log-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

// The log keeps no process alive. Here something must, or the last test to run waits for what never comes.
const alive = setInterval(() => {}, 1000)
test.after.always(() => clearInterval(alive))

test('what every client begins with is logged only when it fails', async (t) => {
  const { target, lines } = memory()
  const log = createLog(target)
  for (const procedure of [
    '/health.v1.VersionService/GetVersion',
    '/senative.engine.v1.EngineService/Describe',
    '/health',
  ]) {
    log.request({ ...entry, procedure })
    log.request({ ...entry, procedure, outcome: 'failed', code: 'SE_INTERNAL' })
    log.request({ ...entry, procedure, outcome: 'abandoned' })
  }
  await log.close(1000)
  t.deepEqual(
    lines().map(({ outcome }) => outcome),
    ['failed', 'abandoned', 'failed', 'abandoned', 'failed', 'abandoned'],
  )
})

test('a request is one line with who asked for what, what came of it, and how long it took', async (t) => {
  const { target, lines } = memory()
  const log = createLog(target)
  log.request(entry)
  log.request({ ...entry, outcome: 'failed', code: 'SE_LOCKED', requester: undefined, secrets: 0 })
  await log.close(1000)
  const [first, second] = lines()
  t.regex(String(first?.['time']), /^\d{4}-\d\d-\d\dT/)
  delete first?.['time']
  t.deepEqual(first, {
    level: 'info',
    request: 'r1',
    procedure: '/resolver.v1.ResolverService/GetSecrets',
    patterns: ['a/*'],
    outcome: 'answered',
    secrets: 2,
    latencyMs: 1.235,
    pid: 7,
    program: 'curl',
    path: '/usr/bin/curl',
  })
  t.is(second?.['level'], 'warn')
  t.is(second?.['code'], 'SE_LOCKED')
})

test('a request for many patterns names the first of them and their number', async (t) => {
  const { target, lines } = memory()
  const log = createLog(target)
  const patterns = Array.from({ length: 10_000 }, (_, index) => `id/${index}`)
  log.request({ ...entry, patterns })
  // Until the line is written the log keeps no more of them than it shows.
  patterns.length = 0
  await log.close(1000)
  const [line] = lines()
  t.is((line?.['patterns'] as string[]).length, 20)
  t.is(line?.['patternCount'], 10_000)
})

test('an event keeps its own time, level and message whatever the facts are called', async (t) => {
  const { target, lines } = memory()
  const log = createLog(target)
  log.event('error', 'a plugin crashed', { plugin: 'p', message: 'other', level: 'info', time: 'never' })
  await log.close(1000)
  const [line] = lines()
  t.like(line, { level: 'error', message: 'a plugin crashed', plugin: 'p' })
  t.not(line?.['time'], 'never')
})

test('what a target does not take is dropped and counted, and the count is told when it takes lines again', async (t) => {
  let full = true
  const { target, lines } = memory((offered) => {
    if (full) throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
    return offered
  })
  const first = createLog(target)
  first.event('info', 'one')
  first.event('info', 'two')
  await first.close(1000)
  t.is(first.dropped, 2)
  t.deepEqual(lines(), [])

  const tried = deferred()
  const log = createLog({
    ...target,
    write: (bytes) => target.write(bytes).finally(() => tried.resolve()),
  })
  log.event('info', 'lost')
  await tried.promise
  full = false
  log.event('info', 'kept')
  await log.close(1000)
  t.is(log.dropped, 1)
  t.like(lines(), [{ message: 'lines of the log were dropped', dropped: 1 }, { message: 'kept' }])
})

test('a line that was cut off by a full disk does not spoil the next one', async (t) => {
  let room = 30
  const failed = deferred()
  const { target, text } = memory((offered) => {
    if (room === 0) {
      failed.resolve()
      throw Object.assign(new Error('no space'), { code: 'ENOSPC' })
    }
    const taken = Math.min(room, offered)
    room -= taken
    return taken
  })
  const log = createLog(target)
  log.event('info', 'cut off in the middle')
  await failed.promise
  room = 10_000
  log.event('info', 'whole')
  await log.close(1000)
  const [torn = '', ...whole] = text().split('\n')
  t.is(torn.length, 30)
  t.like(parseLines(whole.join('\n')), [{ dropped: 1 }, { message: 'whole' }])
})

test('what waits for a target that hangs is bounded, and the end does not wait for it', async (t) => {
  const { target } = memory(() => new Promise<never>(() => {}))
  const log = createLog(target)
  const line = JSON.stringify({ ...entry }).length
  for (let count = 0; count < (3 * MAX_PENDING_BYTES) / line; count++) log.request(entry)
  t.true(log.dropped > 0)
  await log.close(10)
  t.pass()
})

onUnix('a file of the log is for its user only, and its folder too', async (t) => {
  const file = join(folderFor(t), 'state', 'daemon.log')
  const log = createLog(fileTarget(file))
  log.event('info', 'begun')
  await log.close(1000)
  t.is(statSync(file).mode & 0o777, 0o600)
  t.is(statSync(join(file, '..')).mode & 0o777, 0o700)
  t.like(parseLines(readFileSync(file, 'utf8')), [{ message: 'begun' }])
})

onUnix('files of the log are bounded: a full one becomes the older one', async (t) => {
  const file = join(folderFor(t), 'daemon.log')
  const target = fileTarget(file, 1000)
  for (let count = 0; count < 50; count++) await target.write(Buffer.from(`${count} ${'x'.repeat(96)}\n`))
  target.close()
  const [older, newer] = [olderLogFile(file), file].map((name) => readFileSync(name, 'utf8')) as [string, string]
  t.true(older.length <= 1000 && newer.length <= 1000)
  t.true(newer.includes('49 x'))
  t.is(Number(newer.split(' ', 1)[0]), Number(older.trimEnd().split('\n').at(-1)?.split(' ', 1)[0]) + 1)
})

onUnix('a link, a folder or a device in the place of the file is not written to', async (t) => {
  const folder = folderFor(t)
  const other = join(folder, 'other')
  writeFileSync(other, '')
  symlinkSync(other, join(folder, 'linked.log'))
  mkdirSync(join(folder, 'folder.log'))
  execFileSync('mkfifo', [join(folder, 'fifo.log')])
  for (const name of ['linked.log', 'folder.log', 'fifo.log']) {
    const log = createLog(fileTarget(join(folder, name)))
    log.event('info', 'lost')
    await log.close(1000)
    t.is(log.dropped, 1, name)
  }
  t.is(readFileSync(other, 'utf8'), '')
})

/**
 * A folder on a disk that is full until there is room again: a small file system, or where none can be mounted, as in a
 * container, a limit on the files of this process.
 */
function fullFolder(t: ExecutionContext): { folder: string; makeRoom(): void } {
  const folder = folderFor(t)
  try {
    const [mount = '', ...args] = [...(root ?? []), 'mount', '-t', 'tmpfs', '-o', 'size=64k,mode=1777', 'tmpfs', folder]
    execFileSync(mount, args, { stdio: 'ignore' })
  } catch {
    const limit = (bytes: string) => execFileSync('prlimit', ['--pid', `${process.pid}`, `--fsize=${bytes}:`])
    t.teardown(() => limit('unlimited'))
    limit('4096')
    return { folder, makeRoom: () => limit('unlimited') }
  }
  t.teardown(() => {
    const [umount = '', ...args] = [...(root ?? []), 'umount', folder]
    execFileSync(umount, args)
  })
  const filler = join(folder, 'filler')
  writeFileSync(filler, Buffer.alloc(60 << 10))
  return { folder, makeRoom: () => rmSync(filler) }
}

onLinux('a full disk drops lines, and the log goes on when there is room again', async (t) => {
  const { folder, makeRoom } = fullFolder(t)
  const alive = setInterval(() => {}, 60_000) // the log keeps no process alive
  t.teardown(() => clearInterval(alive))
  const file = join(folder, 'daemon.log')
  const target = fileTarget(file)
  const tried = deferred()
  const log = createLog({
    write: (bytes) =>
      target.write(bytes).catch((error: unknown) => {
        tried.resolve()
        throw error
      }),
    close: target.close,
  })
  for (let count = 0; count < 100; count++) log.request(entry)
  await tried.promise
  makeRoom()
  log.event('info', 'after')
  await log.close(1000)
  t.true(log.dropped > 0)
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.endsWith('}'))
  t.like(JSON.parse(lines.at(-1) as string), { message: 'after' })
  t.like(JSON.parse(lines.at(-2) as string), { dropped: log.dropped })
})

onUnix('the log is in the state folder', (t) => {
  const folder = process.platform === 'darwin' ? '/home/u/Library/Logs' : '/home/u/.local/state'
  t.is(logFile({ HOME: '/home/u' }), `${folder}/se-native/daemon.log`)
  t.is(logFile({ HOME: '/home/u', XDG_STATE_HOME: '/s' }), '/s/se-native/daemon.log')
})
