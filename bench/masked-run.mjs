// What masking costs a command that writes much: `se run --mask` on a terminal beside the bare terminal, and through pipes
// beside a bare pipe. Needs `npm run build` before, and python3, which is the terminal. Times are CPU time of the command
// and of all that is between it and the reader, without their start.
import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { install } from './lib/installed.mjs'
import { median } from './lib/median.mjs'

const PTY_BYTES = 16 << 20
const PIPE_BYTES = 128 << 20
/** Beginnings of secrets turn up in no line of it; words, numbers, colours and a table do. */
const LINE =
  '2026-11-26T10:00:00.123Z \u001b[32minfo\u001b[39m request 4711 GET /api/v1/items?id=42 took 12 ms {"status":200}\n'

/** Reads all that a program writes to a terminal or a pipe, and tells bytes, wall time and the program's CPU time. */
const READER = `
import os, pty, resource, sys, time
kind, words = sys.argv[1], sys.argv[2:]
start = time.monotonic()
if kind == "pty":
    pid, source = pty.fork()
else:
    source, sink = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(sink, 1)
    else:
        os.close(sink)
if pid == 0:
    os.execvp(words[0], words)
total = 0
while True:
    try:
        got = len(os.read(source, 1 << 20))
    except OSError:
        break
    if not got:
        break
    total += got
status = os.waitpid(pid, 0)[1]
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(status, total, time.monotonic() - start, used.ru_utime + used.ru_stime)
`

/** The rows: megabytes a second of wall time and of CPU time. */
export function bench({ rounds = 5 } = {}) {
  const folder = mkdtempSync(join(tmpdir(), 'se-bench-'))
  try {
    const env = { PATH: process.env.PATH, HOME: folder, XDG_CONFIG_HOME: folder, XDG_DATA_HOME: folder, TERM: 'xterm' }
    const cli = install(folder)
    const se = [process.execPath, cli]
    execFileSync(se[0], [cli, 'store', 'use', 'file', '--key-file'], { env, stdio: 'ignore' })
    const files = {}
    for (const [kind, bytes] of [
      ['pty', PTY_BYTES],
      ['pipe', PIPE_BYTES],
    ]) {
      files[kind] = join(folder, kind)
      writeFileSync(files[kind], LINE.repeat(Math.ceil(bytes / LINE.length)))
    }
    const counts = [1, 10, 100]
    for (let index = 0; index < Math.max(...counts); index++) {
      const input = `${index}-${'kX9fQ2'.repeat(4)}-${index * 7919}`
      execFileSync(se[0], [cli, 'set', `bench/${index}`], { env, input })
    }
    const masked = (mask, count) => [
      ...[...se, 'run', mask],
      ...Array.from({ length: count }, (_, index) => ['-e', `S${index}=se://bench/${index}`]).flat(),
      '--',
    ]
    const contenders = ['pty', 'pipe'].flatMap((kind) => [
      { kind, name: 'bare', front: [] },
      ...counts.map((count) => ({
        kind,
        name: `se run --mask, ${count} secret${count === 1 ? '' : 's'}`,
        front: masked(kind === 'pty' ? '--mask' : '--mask=always', count),
      })),
    ])
    const results = contenders.map(() => [])
    for (let round = 0; round < rounds; round++) {
      for (const [index, { kind, front }] of contenders.entries()) {
        // The start of it all has its own benchmark.
        const start = measure(kind, [...front, 'true'], env)
        const { bytes, wall, cpu } = measure(kind, [...front, 'cat', files[kind]], env)
        results[index].push({ bytes, wall: wall - start.wall, cpu: cpu - start.cpu })
      }
    }
    return contenders.map(({ kind, name }, index) => {
      const of = (key) => median(results[index].map((result) => result.bytes / 1e6 / result[key]))
      const [{ bytes }] = results[index]
      const bare = results[contenders.findIndex((other) => other.kind === kind)]
      if (bytes !== bare[0].bytes) throw new Error(`${name} changes what holds no secret: ${bytes} bytes`)
      return { kind, name, megabytesASecond: of('wall'), megabytesACpuSecond: of('cpu') }
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

function measure(kind, words, env) {
  const { stdout, stderr } = spawnSync('python3', ['-c', READER, kind, ...words], { env, encoding: 'utf8' })
  const [status, bytes, wall, cpu] = stdout.trim().split(' ').map(Number)
  if (status !== 0) throw new Error(`${words[0]} ended with ${status}: ${stderr}`)
  return { bytes, wall, cpu }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(`Node ${process.version}, ${cpus()[0]?.model}`)
  console.table(
    bench({ rounds: Number(process.argv[2] ?? 5) }).map(({ kind, name, megabytesASecond, megabytesACpuSecond }) => ({
      through: kind,
      name,
      'MB/s': Math.round(megabytesASecond),
      'MB/s of CPU': Math.round(megabytesACpuSecond),
    })),
  )
}
