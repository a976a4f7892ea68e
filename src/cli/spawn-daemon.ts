/** Starts `se daemon run` in the background: in a session of its own, with its streams on the file of its log. */
import { spawn } from 'node:child_process'
import { closeSync, fstatSync, readSync } from 'node:fs'
import { resolve } from 'node:path'
import { SETTINGS } from '../config/settings.js'
import { logFile, openLogFile } from '../daemon/log-target.js'
import { isErrorCode } from '../errors/codes.js'
import { createError, type SecretsError } from '../errors/secrets-error.js'

/** A daemon that was started. */
export interface StartedDaemon {
  readonly pid: number | undefined
  /** Why it has ended, once it has. */
  failure(): SecretsError | undefined
}

/** Starts it. */
export async function spawnDaemon(env: NodeJS.ProcessEnv): Promise<StartedDaemon> {
  const file = logFile(env)
  let log: number
  try {
    log = openLogFile(file)
  } catch (cause) {
    const reason = (cause as NodeJS.ErrnoException).code ?? 'it is no file'
    throw createError('SE_OUTPUT_FAILURE', `the log ${file} cannot be written (${reason})`, {
      hint: 'mend that, or name another folder with XDG_STATE_HOME',
      details: { file },
      cause,
    })
  }
  const begin = fstatSync(log).size
  const [script = ''] = process.argv.slice(1)
  const child = spawn(process.execPath, [...process.execArgv, script, 'daemon', 'run'], {
    cwd: '/', // it keeps no folder from being moved or unmounted
    detached: true,
    env: withAbsolutePaths(env),
    stdio: ['ignore', log, log],
  })
  child.unref()
  let failure: SecretsError | undefined
  child.once('error', (cause) => {
    failure = createError('SE_DAEMON_UNREACHABLE', `the daemon could not be started: ${cause.message}`, { cause })
  })
  child.once('exit', (status, signal) => {
    failure = lastFailure(log, begin) ?? ended(status ?? signal)
    closeSync(log)
  })
  return { pid: child.pid, failure: () => failure }
}

/** A daemon in another folder reads relative paths from there. */
function withAbsolutePaths(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const paths = Object.values(SETTINGS).flatMap(({ kind, variable }) => (kind === 'path' ? variable : []))
  const changed = [...paths, 'SE_CONFIG', 'SE_SOCKET'].flatMap((name) => {
    const value = env[name]
    return value === undefined || /^(|[@~/].*)$/s.test(value) ? [] : [[name, resolve(value)]]
  })
  return { ...env, ...Object.fromEntries(changed) }
}

/** The last error of the log since the start, which the daemon has written before it ended. */
function lastFailure(log: number, begin: number): SecretsError | undefined {
  const bytes = Buffer.alloc(Math.max(fstatSync(log).size - begin, 0))
  const length = readSync(log, bytes, 0, bytes.length, begin)
  for (const line of bytes.toString('utf8', 0, length).split('\n').reverse()) {
    try {
      const { level, code, message, hint } = JSON.parse(line) as Record<string, unknown>
      if (level === 'error' && typeof code === 'string' && isErrorCode(code)) {
        return createError(code, String(message), { hint: typeof hint === 'string' ? hint : undefined })
      }
    } catch {} // not one of ours
  }
  return undefined
}

function ended(how: number | string | null): SecretsError {
  return createError('SE_DAEMON_UNREACHABLE', `the daemon ended at once (${how})`, { hint: 'se daemon logs says more' })
}
