/** Copies secrets between two stores, for `se store import` and `se store export`. */
import { readConfig } from '../config/config.js'
import type { StoreKind } from '../config/settings.js'
import { createError } from '../errors/secrets-error.js'
import { openStore, type StoreOptions } from '../store/open-store.js'
import type { Store } from '../store/store.js'
import type { Context, Flag } from './command.js'
import { forceFlag } from './flags.js'
import { knownPassphrase } from './passphrase.js'
import { UsageError } from './usage-error.js'

/** How many IDs an error names. */
const NAMED = 20

/** The flags of both commands. */
export const COPY_FLAGS: readonly Flag[] = [
  forceFlag('replace what is kept already'),
  { name: 'dry-run', summary: 'print the IDs that would be copied, or what is in the way, and copy nothing' },
  {
    name: 'path',
    value: 'FILE',
    complete: 'file',
    summary: 'the encrypted file that STORE is, instead of the usual one',
  },
  { name: 'identity', value: 'FILE', complete: 'file', summary: 'its key; beside it by default' },
]

/** Copies what the pattern matches, from or to the store that the first argument names. */
export async function copySecrets(context: Context, direction: 'import' | 'export'): Promise<number> {
  const { flags, positionals, stdout, stderr, env } = context
  const kind = positionals[0] as StoreKind
  const pattern = positionals[1] ?? '**'
  const asked = { path: flags.value('path'), identity: flags.value('identity') }
  if (kind === 'keychain' && (asked.path ?? asked.identity) !== undefined) {
    throw new UsageError('--path and --identity are for the encrypted file', 'write file instead of keychain')
  }
  const config = await readConfig(env)
  const passphrase = knownPassphrase(config.passphraseFile?.value)
  const timeoutMs = config.timeoutMs?.value
  const other: StoreOptions = { kind, passphrase, timeoutMs, ...asked }
  using chosen = await openStore({ kind: 'auto', passphrase, timeoutMs })
  using named = await openStore(other)
  const places = [await chosen.describe(), await named.describe()].map((facts) => `${facts.kind} ${facts.location}`)
  if (places[0] === places[1]) {
    throw createError('SE_INVALID_OPTION', 'both stores are the same one', { hint: 'se store shows the chosen one' })
  }
  const [source, target] = direction === 'import' ? [named, chosen] : [chosen, named]
  const ids = await idsOf(source, pattern)
  if (ids.length === 0)
    stderr.write(`Nothing that is kept in ${places[direction === 'import' ? 1 : 0]} matches ${pattern}.\n`)
  const overwrite = flags.has('force')
  if (!overwrite) refuseConflicts(ids, new Set(await idsOf(target, pattern)))
  if (flags.has('dry-run')) {
    stdout.write(ids.map((id) => `${id}\n`).join(''))
    return 0
  }
  const secrets = await source.getMany(pattern)
  try {
    const entries = secrets.map((value) => ({ id: value.id, value, metadata: value.metadata }))
    await target.setMany(entries, { overwrite })
    stdout.write(entries.map(({ id }) => `${id}\n`).join(''))
  } finally {
    for (const secret of secrets) secret.dispose()
  }
  return 0
}

async function idsOf(store: Store, pattern: string): Promise<string[]> {
  return (await store.list(pattern, { times: false })).map(({ id }) => id)
}

/** Throws when any of the ids is taken. The store refuses the first by itself; this names them all. */
function refuseConflicts(ids: readonly string[], taken: ReadonlySet<string>): void {
  const conflicts = ids.filter((id) => taken.has(id))
  const [first] = conflicts
  if (first === undefined) return
  const more = conflicts.length > NAMED ? ` and ${conflicts.length - NAMED} more` : ''
  const message =
    conflicts.length === 1
      ? `a secret is stored under ${first} already`
      : `secrets are stored under ${conflicts.length} of the IDs already: ${conflicts.slice(0, NAMED).join(', ')}${more}`
  throw createError('SE_EXISTS', `${message}; nothing was copied`, {
    hint: 'replace what is there with --force, or copy a part: the last argument is a pattern',
    details: { ids: conflicts },
  })
}
