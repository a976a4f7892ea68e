/** What can be asked of any plugin's answers, however they came. */
import { firstWrong } from '../grammar.js'
import type { Secret } from '../secret.js'
import { type Checks, must } from './report.js'

/** Asks a plugin. */
export type Ask = (patterns: readonly string[]) => Promise<readonly Secret[]>

const MAX_METADATA_BYTES = 64 << 10
/** How many requests it has at once. */
const AT_ONCE = 16

/** Checks the answers for an id that is there. The secret stays, for later checks; it is the caller's to dispose. */
export async function checkId(checks: Checks, id: string, ask: Ask): Promise<Secret | undefined> {
  let answered: readonly Secret[] = []
  const isOne = await checks.run(`asked for ${id}, it answers with one secret of this id`, async () => {
    answered = await ask([id])
    must(answered.length > 0, 'it answered with nothing')
    must(answered.length === 1 && answered[0]?.id === id, `it answered with ${describe(answered)}`)
  })
  const [first] = answered
  if (!isOne || first === undefined) {
    for (const secret of answered) secret.dispose()
    return undefined
  }
  await checks.run(`the facts of ${id} are well formed`, async () => checkFacts(first))
  await checks.run(`asked for ${id} again, it gives the same bytes`, async () => {
    await withSecrets(ask([id]), (secrets) => {
      must(secrets.length === 1 && first.equals(secrets[0] as Secret), 'it gave another value, or several')
    })
  })
  await checks.run(`asked for ${id} ${AT_ONCE} times at once, it answers each time`, async () => {
    const all = await Promise.all(Array.from({ length: AT_ONCE }, () => ask([id])))
    const right = all.filter(([secret, more]) => more === undefined && secret?.id === id && first.equals(secret))
    for (const secret of all.flat()) secret.dispose()
    must(right.length === AT_ONCE, `${AT_ONCE - right.length} of the answers were wrong`)
  })
  return first
}

/** Checks that ids are valid, and none comes twice. */
export function checkIds(secrets: readonly Secret[]): void {
  const ids = secrets.map(({ id }) => id)
  const wrong = ids.filter((id) => firstWrong('id', id) >= 0)
  must(wrong.length === 0, `${wrong.length} of its answers have an id that is none`)
  const twice = ids.filter((id, place) => ids.indexOf(id) !== place)
  must(twice.length === 0, `it answered twice with ${[...new Set(twice)].slice(0, 3).join(', ')}`)
}

function checkFacts({ metadata, createdAt, expiresAt }: Secret): void {
  const bytes = Object.entries(metadata).reduce((sum, [key, value]) => sum + Buffer.byteLength(key + value), 0)
  must(bytes <= MAX_METADATA_BYTES, `its metadata has ${bytes} bytes, more than ${MAX_METADATA_BYTES}`)
  const isOrdered = createdAt === undefined || expiresAt === undefined || createdAt <= expiresAt
  must(isOrdered, 'it expires before it was created')
}

/** Uses secrets, and disposes them. */
export async function withSecrets(
  coming: Promise<readonly Secret[]>,
  use: (secrets: readonly Secret[]) => void,
): Promise<void> {
  const secrets = await coming
  try {
    use(secrets)
  } finally {
    for (const secret of secrets) secret.dispose()
  }
}

/** Checks that a plugin's output holds no value. */
export async function checkOutput(secrets: readonly Secret[], output: Uint8Array): Promise<void> {
  const written = Buffer.from(output.buffer, output.byteOffset, output.byteLength)
  for (const secret of secrets) {
    if (secret.byteLength < 6) continue // anything may look like it
    const isThere = await secret.use((bytes) => written.includes(Buffer.from(bytes.buffer)))
    must(!isThere, `the value of ${secret.id} is there`)
  }
}

function describe(secrets: readonly Secret[]): string {
  const ids = secrets.slice(0, 3).map(({ id }) => (firstWrong('id', id) < 0 ? id : 'what is no id'))
  return `${secrets.length === 1 ? 'another' : `${secrets.length} secrets`}: ${ids.join(', ')}${secrets.length > 3 ? ', …' : ''}`
}
