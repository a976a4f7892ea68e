/** Checks of a plugin that is launched and speaks over a session. */
import { randomBytes } from 'node:crypto'
import { PLUGIN_GRACE_MS } from '../engine/plugin-limits.js'
import { SecretsError } from '../errors/secrets-error.js'
import { parsePattern } from '../pattern.js'
import { type Child, describeExit, endChild, startChild } from '../plugin-host/child.js'
import { systemClock, within } from '../plugin-host/clock.js'
import { LAUNCH_VARIABLE, launchConfig, pluginEnvironment } from '../plugin-host/plugin-environment.js'
import { REGISTRATION_TIMEOUT_MS } from '../plugin-host/supervisor.js'
import type { Secret } from '../secret.js'
import { acceptSession, type PluginSession } from '../session/plugin-session.js'
import { checkId, checkIds, checkOutput, withSecrets } from './answers.js'
import type { PluginCheckOptions } from './check-plugin.js'
import { type Checks, must, skip } from './report.js'

const MAX_OUTPUT_BYTES = 1 << 20

/** Runs the checks. */
export async function checkSession(checks: Checks, options: Required<PluginCheckOptions>): Promise<void> {
  const runs: Run[] = []
  const start = async (): Promise<Run> => {
    const run = await startRun(options)
    runs.push(run)
    return run
  }
  const found: Secret[] = []
  try {
    await checkAll(checks, options.ids, start, found)
    await checks.run('it writes no value to its standard output and error', async () => {
      if (found.length === 0) skip('no id was named that it has')
      for (const { output } of runs) await checkOutput(found, output())
    })
  } finally {
    for (const secret of found) secret.dispose()
    await Promise.all(runs.map(({ child }) => endChild(child, PLUGIN_GRACE_MS, systemClock)))
  }
}

async function checkAll(
  checks: Checks,
  ids: readonly string[],
  start: () => Promise<Run>,
  found: Secret[],
): Promise<void> {
  let run!: Run
  const isThere = await checks.run('it registers within 5 s, with its own name, a version and a pattern', async () => {
    run = await start()
  })
  if (!isThere) return
  const { session } = run
  await checks.run('it says that it is well', () => session.health())
  if (session.pattern === undefined) {
    await checks.run('it answers for a pattern', async () => skip('it decides about access'))
    return checkEnd(checks, run)
  }
  const own = session.pattern
  for (const id of ids) {
    const secret = await checkId(checks, id, ([pattern = id]) => session.getSecrets(pattern))
    if (secret !== undefined) found.push(secret)
  }
  await checks.run('asked for all that it has, it answers inside of its pattern, with each id once', async () => {
    await withSecrets(session.getSecrets(own.text), (secrets) => {
      checkIds(secrets)
      const outside = secrets.filter(({ id }) => !own.matches(id))
      must(outside.length === 0, `${outside.length} of its answers are outside of ${own}`)
    })
  })
  await checks.run('asked for **, it answers inside of its pattern', async () => {
    await withSecrets(session.getSecrets('**'), (secrets) => {
      const outside = secrets.filter(({ id }) => !own.matches(id))
      must(outside.length === 0, `${outside.length} of its answers are outside of ${own}`)
    })
  })
  await checks.run('asked for an id that it does not have, it answers with nothing', async () => {
    const missing = missingId(own.text)
    if (missing === undefined) skip(`${own} is a single id`)
    await withSecrets(session.getSecrets(missing), (secrets) => {
      must(secrets.length === 0, `it answered with ${secrets.length} secrets`)
    })
  })
  await checks.run('asked for what is no pattern, it answers with nothing, and goes on', async () => {
    for (const text of ['', 'a//b', 'a*', '***']) {
      await withSecrets(
        session.getSecrets(text).catch(() => []),
        (secrets) => must(secrets.length === 0, 'it answered with secrets'),
      )
    }
    await session.health()
  })
  await checks.run('requests that are given up do not disturb it', async () => {
    const gaveUp = new AbortController()
    const given = Array.from({ length: 8 }, () => session.getSecrets(ids[0] ?? own.text, { signal: gaveUp.signal }))
    gaveUp.abort()
    const late = session.getSecrets(ids[0] ?? own.text, { timeoutMs: 1 })
    for (const result of await Promise.allSettled([...given, late])) {
      if (result.status === 'fulfilled') for (const secret of result.value) secret.dispose()
    }
    await session.health()
  })
  await checks.run('two of its processes run side by side', async () => {
    const other = await start()
    await other.session.health()
    await session.health()
    other.session.close()
  })
  await checks.run('killed in the middle of a request, it can be started again', async () => {
    const asked = session.getSecrets(ids[0] ?? own.text).catch(() => [])
    run.child.signal('SIGKILL')
    for (const secret of await asked) secret.dispose()
    await run.child.exited
    run = await start()
    await run.session.health()
    const [first] = found
    if (first === undefined) return
    await withSecrets(run.session.getSecrets(first.id), (secrets) => {
      must(secrets.length === 1 && first.equals(secrets[0] as Secret), `it gives another value for ${first.id} now`)
    })
  })
  await checkEnd(checks, run)
}

async function checkEnd(checks: Checks, { child, session }: Run): Promise<void> {
  await checks.run('asked to shut down, it ends within 2 s, with status 0', async () => {
    void session.shutdown()
    must(await within(systemClock, PLUGIN_GRACE_MS, child.exited), 'it still runs')
    const exit = await child.exited
    must(exit.code === 0, `it ${describeExit(exit)}`)
  })
}

/** One process that has registered. */
interface Run {
  readonly child: Child
  readonly session: PluginSession
  /** What it wrote. */
  output(): Uint8Array
}

async function startRun({ command, env, name }: Required<PluginCheckOptions>): Promise<Run> {
  const launch = { [LAUNCH_VARIABLE]: launchConfig(name, REGISTRATION_TIMEOUT_MS) }
  const child = await startChild({ command, env: { ...pluginEnvironment(env), ...launch }, session: true })
  const chunks: Buffer[] = []
  let size = 0
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => {
      if (size < MAX_OUTPUT_BYTES) chunks.push(chunk)
      size += chunk.length
    })
  }
  try {
    const session = await acceptSession(child.socket as NonNullable<Child['socket']>, { expectName: name })
    return { child, session, output: () => Buffer.concat(chunks) }
  } catch (error) {
    // One that ended by itself is told by its status, one that was refused by the reason.
    const hasLeft = SecretsError.is(error) && error.code === 'SE_PLUGIN_UNAVAILABLE'
    const hasEnded = hasLeft && (await within(systemClock, PLUGIN_GRACE_MS, child.exited))
    const how = hasEnded ? `it ${describeExit(await child.exited)}` : undefined
    await endChild(child, PLUGIN_GRACE_MS, systemClock)
    // It was not asked for a value yet: what it wrote can be shown.
    const wrote = Buffer.concat(chunks).toString().trim().split('\n').slice(-5).join('\n')
    const reason = how ?? (error instanceof Error ? error.message : 'it did not register')
    must(false, wrote === '' ? reason : `${reason}; it wrote:\n${wrote}`)
  }
}

/** An id that a pattern matches and that no plugin has; nothing where the pattern is an id. */
export function missingId(pattern: string): string | undefined {
  const component = `se-plugins-test-${randomBytes(8).toString('hex')}`
  const id = pattern.replace(/\*+/g, component)
  return id !== pattern && parsePattern(pattern).matches(id) ? id : undefined
}
