// What the types promise, checked by the compiler: every @ts-expect-error must be an error.
import {
  type Client,
  type CodesByClass,
  connect,
  createEngine,
  definePlugin,
  type Engine,
  type ErrorCode,
  InvalidInputError,
  keychain,
  NotFoundError,
  openStore,
  type Resolution,
  type ResolveEnvOptions,
  resolve,
  resolveAll,
  resolveEnv,
  Secret,
  type SecretInfo,
  SecretsError,
  type Store,
} from '../../src/index.js'

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false
function same<A, B>(_: Equal<A, B>): void {}

export async function promises(): Promise<void> {
  const resolution = resolve('se://a')
  same<typeof resolution, Resolution>(true)
  same<Awaited<typeof resolution>, Secret>(true)
  const number = await resolution.use(async (bytes) => bytes.byteLength)
  same<typeof number, number>(true)
  const text = await resolution.use((bytes) => String(bytes.length))
  same<typeof text, string>(true)
  same<Awaited<ReturnType<typeof resolveAll>>, Secret[]>(true)
  same<Awaited<ReturnType<typeof resolveEnv>>, Record<string, string>>(true)
  await resolveEnv(process.env)
  await resolveEnv({}, { from: 'se://a/**' })
  const options: ResolveEnvOptions = { from: ['se://a/**'] as const, prefix: 'A_', override: true, policy: 'first' }
  await resolveEnv({}, options)
  // @ts-expect-error groups are of resolveEnv alone
  await resolve('se://a', { from: 'se://a/**' })
  await resolve('se://a', { policy: 'newest', timeoutMs: 1, signal: AbortSignal.timeout(1), strict: true })
  // @ts-expect-error a policy that does not exist
  await resolve('se://a', { policy: 'latest' })
  // @ts-expect-error a misspelled option
  await resolve('se://a', { timeout: 1 })
  // @ts-expect-error one reference, not a list
  await resolve(['se://a'])

  using secret = await resolve('se://a')
  // @ts-expect-error only static from() makes a secret
  new Secret('a', new Uint8Array())
  // @ts-expect-error facts do not change
  secret.id = 'b'
  // @ts-expect-error metadata does not change
  secret.metadata['a'] = 'b'
  // @ts-expect-error a value is bytes or a text
  Secret.from('a', 1)

  const store = await openStore({ kind: 'file', path: 'p', passphrase: async () => 'x' })
  same<typeof store, Store>(true)
  const infos = await store.list()
  same<typeof infos, SecretInfo[]>(true)
  // @ts-expect-error a listing has no values
  infos[0]?.value
  // @ts-expect-error a kind that does not exist
  await openStore({ kind: 'vault' })

  const engine: Engine = await createEngine({ plugins: [keychain({ store }), keychain({ kind: 'file' })] })
  await engine.close()
  const client = await connect({ socket: '/run/se.sock', timeoutMs: 1000 })
  same<typeof client, Client>(true)
  const faces: Engine[] = [engine, client]
  await resolve('se://a', { engine: faces[1] })
  await client.explain('a', { policy: 'first' })
  // @ts-expect-error only connect() makes a client
  new Client()
  // @ts-expect-error a passphrase is a Secret
  await client.unlock('text')
  // @ts-expect-error a misspelled option
  await connect({ path: '/run/se.sock' })
  // @ts-expect-error getSecrets is missing
  definePlugin({ name: 'p', version: 'v1.0.0', pattern: '**' })
  // @ts-expect-error an answer has an id
  definePlugin({ name: 'p', version: 'v1.0.0', pattern: '**', getSecrets: () => [{ value: 'x' }] })
}

export function errors(error: unknown): void {
  if (error instanceof NotFoundError) same<typeof error.code, CodesByClass['NotFoundError']>(true)
  if (SecretsError.is(error)) {
    same<typeof error.code, ErrorCode>(true)
    // @ts-expect-error a code that does not exist
    if (error.code === 'SE_NO_SUCH_CODE') return
  }
  // @ts-expect-error a code of another class
  new InvalidInputError('SE_LOCKED', 'x')
}
