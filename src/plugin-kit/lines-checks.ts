/** Checks of a program that speaks lines of JSON. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { PluginContext, PluginLogger } from '../engine/plugin.js'
import { PLUGIN_TIMEOUT_MS } from '../engine/plugin-limits.js'
import { parsePattern } from '../pattern.js'
import { linesPlugin } from '../plugin-host/lines-plugin.js'
import { pluginLogFile } from '../plugin-host/plugin-log.js'
import { PluginStates } from '../plugin-host/plugin-states.js'
import type { Secret } from '../secret.js'
import { checkId, checkIds, checkOutput, withSecrets } from './answers.js'
import type { PluginCheckOptions } from './check-plugin.js'
import { type Checks, must, skip } from './report.js'
import { missingId } from './session-checks.js'

const SILENT: PluginLogger = { debug() {}, info() {}, warn() {}, error() {} }

/** Runs the checks. */
export async function checkLines(
  checks: Checks,
  { command, env, name, ids }: Required<PluginCheckOptions>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'se-plugins-test-'))
  const facts = { pattern: undefined, timeoutMs: undefined, cacheTtlMs: undefined }
  const plugin = linesPlugin(
    { ...facts, name, command, env, protocol: 'lines' },
    { logFolder: folder, states: new PluginStates(join(folder, 'plugins.json')) },
  )
  const ask = async (
    patterns: readonly string[],
    signal = AbortSignal.timeout(PLUGIN_TIMEOUT_MS),
  ): Promise<Secret[]> => {
    const requester = { pid: process.pid, name: 'se plugins test', path: process.execPath }
    const context: PluginContext = { log: SILENT, signal, requester, times: false }
    return [...((await plugin.getMany?.(patterns.map(parsePattern), context)) ?? [])] as Secret[]
  }
  const found: Secret[] = []
  try {
    await checks.run('asked for an id that it does not have, it prints nothing and ends with status 0', async () => {
      await withSecrets(ask([missingId('se-plugins-test/*') as string]), (secrets) => {
        must(secrets.length === 0, `it printed ${secrets.length} secrets`)
      })
    })
    for (const id of ids) {
      const secret = await checkId(checks, id, (patterns) => ask(patterns))
      if (secret !== undefined) found.push(secret)
    }
    await checks.run('asked for several patterns at once, it answers each, with each id once', async () => {
      if (found.length === 0) skip('no id was named that it has')
      const patterns = [...found.map(({ id }) => id), missingId('se-plugins-test/*') as string]
      await withSecrets(ask(patterns), (secrets) => {
        checkIds(secrets)
        for (const { id } of found)
          must(
            secrets.some((secret) => secret.id === id),
            `${id} is missing`,
          )
        must(secrets.length === found.length, 'it printed more than was asked for')
      })
    })
    await checks.run('asked for **, it prints valid ids, each once', async () => withSecrets(ask(['**']), checkIds))
    await checks.run('killed in the middle of a request, it answers the next one', async () => {
      const gaveUp = new AbortController()
      const asked = ask([ids[0] ?? '**'], gaveUp.signal).catch(() => [])
      gaveUp.abort()
      for (const secret of await asked) secret.dispose()
      const [first] = found
      if (first === undefined) skip('no id was named that it has')
      await withSecrets(ask([first.id]), (secrets) => must(secrets.length === 1, 'it does not'))
    })
    await checks.run('it writes no value to its standard error', async () => {
      if (found.length === 0) skip('no id was named that it has')
      await plugin.close?.()
      await checkOutput(found, readOrEmpty(pluginLogFile(folder, name)))
    })
  } finally {
    for (const secret of found) secret.dispose()
    await plugin.close?.()
    rmSync(folder, { recursive: true, force: true })
  }
}

function readOrEmpty(file: string): Uint8Array {
  try {
    return readFileSync(file)
  } catch {
    return new Uint8Array()
  }
}
