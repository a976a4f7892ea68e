// A real gnome-keyring on a private D-Bus session for tests, by scripts/with-keyring.sh, which also holds the proof of
// which daemon answers. Everything ends with `stop()`, and with the test process, however that ends.
import { execFile, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const script = fileURLToPath(new URL('../../scripts/with-keyring.sh', import.meta.url))
const run = promisify(execFile)
const login = '/org/freedesktop/secrets/collection/login'

/** What answers on the private bus: see scripts/with-keyring.sh. */
export type KeyringVariant = 'unlocked' | 'locked' | 'no-collection' | 'no-service' | 'activatable'

export interface Keyring extends AsyncDisposable {
  /** The environment for programs that shall use this keyring: bus, XDG folders and HOME are its own. */
  readonly env: NodeJS.ProcessEnv
  /** Runs a program in that environment and answers with its standard output. */
  run(program: string, args: readonly string[], input?: string | Uint8Array): Promise<string>
  /** Locks the `login` collection. */
  lock(): Promise<void>
  /** Unlocks the `login` collection, without a prompt. */
  unlock(): Promise<void>
  /** Whether the `login` collection is locked. */
  locked(): Promise<boolean>
  /** Ends the bus and the keyring, and removes their folders. */
  stop(): Promise<void>
}

/**
 * Whether this machine can run a keyring; when it cannot, the reason to skip with. Where `SE_REQUIRE` names
 * `keyring`, as in CI, a missing one fails instead.
 */
export function keyringMissing(): string | undefined {
  if (process.platform === 'linux') {
    const { status, stderr } = spawnSync(script, ['--no-service', '--', 'true'], { encoding: 'utf8' })
    if (status === 0) return undefined
    if (process.env['SE_REQUIRE']?.split(/[\s,]+/).includes('keyring'))
      throw new Error(`a keyring is required: ${stderr}`)
    return stderr.trim()
  }
  return 'the Secret Service exists on Linux only'
}

/**
 * Unlocks `login` as PAM does, without a prompt, over gnome-keyring's control socket: a byte for the credentials, then
 * length, operation (1 = unlock), length of the password and the password; the answer is length (8) and result.
 */
async function unlockLogin(socketPath: string, password: string): Promise<void> {
  const request = Buffer.alloc(13 + Buffer.byteLength(password))
  request.writeUInt32BE(request.length - 1, 1)
  request.writeUInt32BE(1, 5)
  request.writeUInt32BE(Buffer.byteLength(password), 9)
  request.write(password, 13)
  const socket = connect(socketPath)
  socket.write(request)
  const [answer] = (await once(socket, 'data')) as [Buffer]
  socket.destroy()
  if (answer.readUInt32BE(4) !== 0) throw new Error(`gnome-keyring refused to unlock: ${answer.readUInt32BE(4)}`)
}

/** Starts a private bus with a keyring on it. */
export async function startKeyring(variant: KeyringVariant = 'unlocked'): Promise<Keyring> {
  // The held command writes its environment, then waits for the end of its standard input, which is ours.
  const hold = "process.stdout.write(JSON.stringify(process.env) + '\\n'); process.stdin.resume()"
  const held = spawn(script, [`--${variant}`, '--', process.execPath, '-e', hold], { stdio: ['pipe', 'pipe', 'pipe'] })
  const ended = once(held, 'exit')
  let problem = ''
  held.stderr.setEncoding('utf8').on('data', (text: string) => {
    problem += text
  })
  const lines = createInterface({ input: held.stdout })
  const first = await Promise.race([once(lines, 'line'), ended.then(() => undefined)])
  if (!first) throw new Error(`no keyring: ${problem}`)
  const env = JSON.parse(first[0] as string) as NodeJS.ProcessEnv

  const runIn = async (program: string, args: readonly string[], input?: string | Uint8Array): Promise<string> => {
    const running = run(program, [...args], { env })
    running.child.stdin?.end(input)
    return (await running).stdout
  }
  const call = (path: string, method: string, ...args: string[]) =>
    runIn('dbus-send', ['--session', '--print-reply=literal', '--dest=org.freedesktop.secrets', path, method, ...args])

  const keyring: Keyring = {
    env,
    run: runIn,
    async lock() {
      await call('/org/freedesktop/secrets', 'org.freedesktop.Secret.Service.Lock', `array:objpath:${login}`)
    },
    async unlock() {
      await unlockLogin(`${env['XDG_RUNTIME_DIR']}/keyring/control`, env['SE_KEYRING_PASSWORD'] ?? '')
      if (await keyring.locked()) throw new Error('the login collection is still locked')
    },
    async locked() {
      const get = 'org.freedesktop.DBus.Properties.Get'
      const answer = await call(login, get, 'string:org.freedesktop.Secret.Collection', 'string:Locked')
      return answer.includes('boolean true')
    },
    async stop() {
      held.stdin.end()
      await ended
    },
    [Symbol.asyncDispose]: () => keyring.stop(),
  }
  return keyring
}
