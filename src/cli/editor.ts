/** The user's editor, and the signals that may come while it is in front. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { recordFolder } from '../deliver/file-records.js'
import { createError, SecretsError } from '../errors/secrets-error.js'
import { launcherPath } from '../native/launcher.js'
import { unwrap } from '../native/outcome.js'
import { createEditFile, type SecretEditFile, sweepFiles } from '../native/process.js'
import { handleOf, type Secret, secretFromHandle } from '../secret.js'

/** How long an editor that was told to end may take, before its file is removed all the same. */
const GRACE_MS = 1000

/**
 * Lets the user's editor change a value: $VISUAL, else $EDITOR, else vi, on a file in memory. The file is gone in the end,
 * but when what the editor left could not be saved: then it stays, and the error says where.
 * The variables hold shell words, such as `code --wait`. The passphrase of the store is kept from it.
 *
 * Ctrl-C and Ctrl-\ belong to the editor. A signal that ends this process (SIGTERM, SIGHUP) goes to the editor first;
 * the file is removed, and then this process dies by the signal. When this process is killed, a watcher removes it.
 * @param save - Stores what the editor left.
 * @throws what `save` does; `SE_UNSUPPORTED` when the editor cannot be started or fails, or where there is no file system in memory;
 * `SE_OUTPUT_FAILURE` when nobody could remove the file after a crash.
 */
export async function editValue(
  secret: Secret,
  env: NodeJS.ProcessEnv,
  save: (after: Secret) => Promise<void>,
): Promise<void> {
  const signals = holdSignals()
  try {
    const file = createFile(secret, env)
    let kept = false
    try {
      await runEditor(env, file.path, signals)
      if (signals.ending) return
      using after = secretFromHandle(secret.id, unwrap(file.read()))
      await save(after).catch((error: unknown) => {
        // Otherwise nobody would be told where it is.
        if (signals.ending || !SecretsError.is(error)) throw error
        kept = true
        file.keep()
        throw withPlace(error, file.path)
      })
    } finally {
      if (!kept) unwrap(file.remove())
    }
  } finally {
    signals.release()
  }
}

/** The file, after what killed processes left is gone. */
function createFile(secret: Secret, env: NodeJS.ProcessEnv): SecretEditFile {
  const records = recordFolder(env)
  sweepFiles(records)
  // Elsewhere there is no file system in memory, which is the answer then, whatever else is missing.
  const launcher = process.platform === 'linux' ? launcherPath() : ''
  return createEditFile(handleOf(secret), { records, launcher })
}

/** The error, with where the person finds what they wrote (`details.kept`). */
function withPlace(error: SecretsError, kept: string): SecretsError {
  const { code, message, hint, details, cause } = error
  return createError(code, message, { hint, details: { ...details, kept }, cause })
}

/** Signals that do not end this process for now. */
interface HeldSignals {
  /** From now on they go to this process as well. Answers when one came that has to end us, and the grace is over. */
  passTo(child: ChildProcess): Promise<void>
  /** Whether a signal came that ends this process. */
  readonly ending: boolean
  /** Ends the holding, and this process, if one came that does so. */
  release(): void
}

function holdSignals(): HeldSignals {
  let fatal: NodeJS.Signals | undefined
  let pass = (_signal: NodeJS.Signals): void => {}
  const ignore = (): void => {}
  const remember = (signal: NodeJS.Signals): void => {
    fatal ??= signal
    pass(signal)
  }
  const listeners = { SIGINT: ignore, SIGQUIT: ignore, SIGTERM: remember, SIGHUP: remember } as const
  const each = Object.entries(listeners) as [NodeJS.Signals, (signal: NodeJS.Signals) => void][]
  for (const [signal, listener] of each) process.on(signal, listener)
  return {
    passTo: (child) =>
      new Promise((resolve) => {
        pass = (signal) => {
          child.kill(signal)
          setTimeout(resolve, GRACE_MS)
        }
        if (fatal !== undefined) pass(fatal)
      }),
    get ending() {
      return fatal !== undefined
    },
    release() {
      for (const [signal, listener] of each) process.off(signal, listener)
      if (fatal !== undefined) process.kill(process.pid, fatal)
    },
  }
}

async function runEditor(env: NodeJS.ProcessEnv, path: string, signals: HeldSignals): Promise<void> {
  const editor = env['VISUAL'] || env['EDITOR'] || (process.platform === 'win32' ? 'notepad' : 'vi')
  const own = Object.fromEntries(Object.entries(env).filter(([name]) => !/^SE_.*PASSPHRASE/.test(name)))
  const child =
    process.platform === 'win32'
      ? spawn(`${editor} "${path}"`, { stdio: 'inherit', env: own, shell: true })
      : spawn('/bin/sh', ['-c', `exec ${editor} "$1"`, 'sh', path], { stdio: 'inherit', env: own })
  const failed = (how: string): Error =>
    createError('SE_UNSUPPORTED', `the editor ${how}; nothing was changed`, {
      hint: 'name another one in VISUAL or EDITOR',
    })
  const exited = once(child, 'exit').catch(() => {
    throw failed('could not be started')
  })
  const ended = await Promise.race([exited, signals.passTo(child)])
  if (ended === undefined) throw failed('did not end')
  const [status, signal] = ended
  if (status !== 0) throw failed(`ended with ${signal ?? status}`)
}
