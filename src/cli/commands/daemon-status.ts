/** `se daemon status`: whether the daemon runs, and what it is. */
import type { Command } from '../command.js'
import type { DaemonFacts } from '../daemon-client.js'
import { jsonFlag } from '../flags.js'

/** The exit status when none runs. */
const NOT_RUNNING = 3

/** Shows the daemon. */
export const command: Command = {
  name: 'daemon status',
  summary: 'show whether it runs, where it listens, its store and its plugins',
  usage: ['[--json]'],
  description: ['The exit status is 0 when it runs and 3 when it does not.'],
  flags: [
    jsonFlag(
      'running, pid, version, startedAt, uptimeSeconds, addresses, left, store, config, log, plugins; or running alone',
    ),
  ],
  positionals: [],
  examples: [{ note: 'in a script', command: 'se daemon status >/dev/null || se daemon start' }],
  storeless: true,
  async run(context) {
    const { flags, stdout } = context
    const { addressAnyway, askDaemon, checkPlatform } = await import('../daemon-client.js')
    checkPlatform()
    const facts = await askDaemon(await addressAnyway(context))
    if (flags.has('json')) {
      stdout.write(`${JSON.stringify(facts === undefined ? { running: false } : { running: true, ...facts })}\n`)
      return facts === undefined ? NOT_RUNNING : 0
    }
    if (facts === undefined) {
      stdout.write('The daemon does not run.\n')
      return NOT_RUNNING
    }
    const { columns } = await import('../columns.js')
    const { store } = facts
    const [first = '', ...others] = facts.addresses
    stdout.write(
      columns([
        ['Daemon:', `${facts.version}, pid ${facts.pid}, up for ${duration(facts.uptimeSeconds)}`],
        ['Listens on:', first],
        ...others.map((address) => ['', address]),
        ...facts.left.map(({ address, reason }) => ['Left to others:', `${address} (${reason})`]),
        ['Store:', describeStore(store)],
        ['Configuration:', facts.config],
        ['Log:', facts.log],
        ...facts.plugins.map(({ name, version, pattern, enabled, status }, index) => [
          index === 0 ? 'Plugins:' : '',
          `${name} ${version} ${pattern} (${enabled ? status : 'disabled'})`,
        ]),
      ]),
    )
    return 0
  },
}

function describeStore({ kind, location, locked }: DaemonFacts['store']): string {
  if (kind === '') return 'none; se store says why'
  const state = locked === undefined ? '' : locked ? 'locked: se unlock opens it' : 'open'
  return [kind, location, state].filter(Boolean).join(', ')
}

function duration(seconds: number): string {
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`
}
