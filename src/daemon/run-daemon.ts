/** `se daemon run`: the daemon as a process, with its signals, its log and its end. */
import { closeSync, fstatSync, openSync, statSync } from 'node:fs'
import { CODES } from '../errors/codes.js'
import { SecretsError } from '../errors/secrets-error.js'
import { native } from '../native/load.js'
import { unwrap } from '../native/outcome.js'
import { takePassedSockets } from './activation.js'
import { createLog, type WrittenLog } from './log.js'
import { fileTarget, isRead, logFile, STANDARD_ERROR, standardErrorTarget } from './log-target.js'
import { UserDaemon } from './user-daemon.js'

/** How long the last lines of the log may take. */
const LOG_MS = 2000

/**
 * Runs the daemon until it is asked to end.
 * @param env - As `process.env`; what is not for plugins is taken out of it.
 * @returns the exit status.
 * @throws why it cannot begin, unless whoever reads the log has been told that.
 */
export async function runDaemon(env: NodeJS.ProcessEnv): Promise<number> {
  unwrap(native().closeOnExec())
  const passed = takePassedSockets(env)
  const file = logFile(env)
  const onStderr = isRead(2)
  const log = createLog(onStderr ? standardErrorTarget() : fileTarget(file))
  endAtFault(log)
  const ended = endOf(log)
  try {
    const daemon = await UserDaemon.start({
      env,
      log,
      passed,
      logPlace: onStderr ? STANDARD_ERROR : file,
      onIdle: () => ended.now('nobody has asked for a while'),
    })
    ended.onReload(() => void daemon.reload())
    log.event('info', 'the daemon ends', { reason: await ended.reason })
    await daemon.close()
    log.event('info', 'the daemon has ended', { droppedLines: log.dropped })
    return 0
  } catch (error) {
    if (onStderr || !SecretsError.is(error)) throw error
    log.event('error', error.message, { code: error.code, hint: error.hint })
    if (!isFile(2, file)) throw error
    return CODES[error.code].exit
  } finally {
    await log.close(LOG_MS)
  }
}

/** Waits for the end: SIGTERM, SIGINT, the hang-up of its terminal. The second of these ends at once. */
function endOf(log: WrittenLog): {
  reason: Promise<string>
  now(reason: string): void
  onReload(run: () => void): void
} {
  let now: (reason: string) => void = () => {}
  const reason = new Promise<string>((resolve) => {
    now = resolve
  })
  let isEnding = false
  const end = (signal: NodeJS.Signals): void => {
    if (isEnding) {
      log.event('warn', 'the daemon ends at once', { reason: `a second ${signal}` })
      void log.close(LOG_MS).then(() => process.exit(1))
    }
    isEnding = true
    now(signal)
  }
  let reload = (): void => {}
  const hadTerminal = hasTerminal()
  process.on('SIGTERM', end)
  process.on('SIGINT', end)
  process.on('SIGHUP', (signal) => (hadTerminal && !hasTerminal() ? end(signal) : reload()))
  return {
    reason,
    now,
    onReload(run) {
      reload = run
    },
  }
}

/** A fault of ours ends the daemon, and is logged by its place alone: a message may quote what somebody sent. */
function endAtFault(log: WrittenLog): void {
  process.on('uncaughtException', (error: unknown) => {
    const { name, stack = '' } = error instanceof Error ? error : new Error()
    const place = stack.split('\n').filter((line) => line.startsWith('    at '))
    log.event('error', 'a fault of se itself ends the daemon', { name, place: place.slice(0, 8).join('\n') })
    void log.close(LOG_MS).then(() => process.exit(1))
  })
}

function hasTerminal(): boolean {
  try {
    closeSync(openSync('/dev/tty', 'r'))
    return true
  } catch {
    return false
  }
}

/** Whether a descriptor is this file. */
function isFile(fd: number, file: string): boolean {
  try {
    const [open, named] = [fstatSync(fd), statSync(file)]
    return open.dev === named.dev && open.ino === named.ino
  } catch {
    return false
  }
}
