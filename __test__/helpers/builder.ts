// Docker with BuildKit, for tests: the daemon that this user may ask, or one of the test's own.
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { hasProgram } from './programs.js'

/** Where `docker build` works. */
export interface Builder {
  /** A command of Docker that can build with secrets. */
  readonly docker: string
  /** What it needs in its environment. */
  readonly env: NodeJS.ProcessEnv
  /** Where the daemon keeps layers and cache, if it is the test's own. */
  readonly data?: string
}

/** Whether a builder can be had here. Where `SE_REQUIRE` is set, as in CI, it must be. */
export function hasBuilder(): boolean {
  if (!hasProgram('docker') || !hasProgram('busybox')) return false
  if (process.getuid?.() === 0) return hasProgram('dockerd')
  return process.env['SE_REQUIRE'] !== undefined || spawnSync('docker', ['info']).status === 0
}

/** The command: the first of the PATH may lack buildx, and then has no `--secret`. */
function findDocker(): string {
  const { stdout } = spawnSync('which', ['-a', 'docker'], { encoding: 'utf8' })
  const can = (docker: string): boolean => {
    const help = spawnSync(docker, ['build', '--help'], {
      encoding: 'utf8',
      env: { ...process.env, DOCKER_BUILDKIT: '1' },
    })
    return help.stdout.includes('--secret')
  }
  const found = stdout.split('\n').find((docker) => docker !== '' && can(docker))
  if (found === undefined) throw new Error('no docker here can build with secrets: install docker.io, or buildx')
  return found
}

/** Starts a daemon where this user is root, in namespaces of its own: they end with it, and with them all that it started. */
export async function startBuilder(remove: (fn: () => unknown) => void): Promise<Builder> {
  const docker = findDocker()
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
  const own = ['--net', '--mount', '--pid', '--mount-proc', '--fork', '--kill-child']
  // It would keep a key of its own in /etc/docker.
  const script = 'if [ -d /etc/docker ]; then mount -t tmpfs none /etc/docker; fi; exec dockerd "$@"'
  const log = openSync(at('log'), 'w')
  const daemon = spawn('unshare', [...own, 'sh', '-ec', script, 'sh', ...flags], { stdio: ['ignore', log, log] })
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
