// Docker with BuildKit, for tests: the daemon that this user may ask, or one of the test's own.
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { canUnshare, hasProgram } from './programs.js'

/** Where `docker build` works. */
export interface Builder {
  /** A command of Docker that can build with secrets. */
  readonly docker: string
  /** What it needs in its environment. */
  readonly env: NodeJS.ProcessEnv
  /** Where the daemon keeps layers and cache, if it is the test's own. */
  readonly data?: string
}

const NAMESPACES = ['--net', '--mount', '--pid', '--mount-proc', '--fork', '--kill-child']

/** The docker that can build with secrets, where a builder can be had. Where `SE_REQUIRE` is set, as in CI, it must be. */
export function findBuilder(): string | undefined {
  if (!hasProgram('docker') || !hasProgram('busybox')) return undefined
  const isRoot = process.getuid?.() === 0
  if (isRoot && !hasProgram('dockerd')) return undefined
  const runs = isRoot ? canUnshare(...NAMESPACES) : spawnSync('docker', ['info']).status === 0
  const docker = runs ? findDocker() : undefined
  if (docker === undefined && process.env['SE_REQUIRE'] !== undefined) {
    throw new Error('a docker that builds with secrets is required: install docker.io, or buildx beside docker')
  }
  return docker
}

/** The command: the first of the PATH may lack buildx, and then has no `--secret`. */
function findDocker(): string | undefined {
  const { stdout } = spawnSync('which', ['-a', 'docker'], { encoding: 'utf8' })
  const env = { ...process.env, DOCKER_BUILDKIT: '1' }
  const can = (docker: string): boolean =>
    spawnSync(docker, ['build', '--help'], { encoding: 'utf8', env }).stdout.includes('--secret')
  return stdout.split('\n').find((docker) => docker !== '' && can(docker))
}

/** Starts a daemon where this user is root, in namespaces of its own: they end with it, and with them all that it started. */
export async function startBuilder(docker: string, remove: (fn: () => unknown) => void): Promise<Builder> {
  const buildKit = { DOCKER_BUILDKIT: '1', BUILDKIT_PROGRESS: 'plain' }
  if (process.getuid?.() !== 0) return { docker, env: buildKit }
  const folder = mkdtempSync(join(tmpdir(), 'se-docker-'))
  const at = (name: string): string => join(folder, name)
  writeFileSync(at('daemon.json'), '{}')
  const flags = [
    '--data-root',
    at('data'),
    '--exec-root',
    at('exec'),
    '--pidfile',
    at('pid'),
    '--host',
    `unix://${at('s')}`,
  ]
  flags.push('--config-file', at('daemon.json'), '--storage-driver', 'vfs', '--iptables=false', '--ip6tables=false')
  // What it keeps in /etc/docker and in /run stays with it.
  const script = `mkdir ${at('own')}; mount -t tmpfs none ${at('own')}; mkdir ${at('own/up')} ${at('own/work')}
mount -t overlay none -o lowerdir=/etc,upperdir=${at('own/up')},workdir=${at('own/work')} /etc
mount -t tmpfs none /run; exec dockerd "$@"`
  const log = openSync(at('log'), 'w')
  // It ends with this process, whatever ends that.
  const words = ['--pdeathsig', 'KILL', 'unshare', ...NAMESPACES, 'sh', '-ec', script, 'sh', ...flags]
  const daemon = spawn('setpriv', words, { stdio: ['ignore', log, log] })
  const ended = new Promise<void>((resolve) => daemon.once('exit', () => resolve()))
  remove(async () => {
    daemon.kill('SIGKILL')
    await ended
    rmSync(folder, { recursive: true, force: true, maxRetries: 20 })
  })
  const env = { ...buildKit, DOCKER_HOST: `unix://${at('s')}` }
  const answers = (): boolean => spawnSync(docker, ['version'], { env: { ...process.env, ...env } }).status === 0
  for (const end = Date.now() + 60_000; !answers(); ) {
    if (daemon.exitCode !== null || Date.now() > end) {
      throw new Error(`dockerd does not start:\n${readFileSync(at('log'), 'utf8').slice(-2000)}`)
    }
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
  return { docker, env, data: at('data') }
}
