/** `se ls`: lists what is kept in the chosen store. Reads no value. */
import type { Command } from '../command.js'
import { jsonFlag, QUOTE_PATTERN, STORE_FLAG } from '../flags.js'

/** Lists ids. */
export const command: Command = {
  name: 'ls',
  summary: 'list what is kept',
  usage: ['[PATTERN] [--long] [--json]'],
  description: [
    'Prints the IDs, sorted, one a line; nothing when there are none. In a pattern, `*` is one component and `**` any ' +
      'number of them. Values are not read.',
  ],
  flags: [
    {
      name: 'long',
      short: 'l',
      excludes: ['json'],
      summary: 'show the store, the time of creation and the metadata, too',
    },
    jsonFlag('a list of id, store, createdAt, modifiedAt, metadata'),
    STORE_FLAG,
  ],
  positionals: [{ name: 'PATTERN', optional: true, complete: 'id' }],
  extraHint: QUOTE_PATTERN,
  examples: [
    { note: 'everything', command: 'se ls' },
    { note: 'whatever ends in token', command: "se ls '**/token'" },
    { note: 'for a script', command: "se ls 'postgres/**' --json" },
  ],
  async run(context) {
    const { flags, positionals, stdout } = context
    const [pattern] = positionals
    if (pattern !== undefined) (await import('../../pattern.js')).parsePattern(pattern)
    const { openChosenStore } = await import('../open-chosen-store.js')
    const store = await openChosenStore(context)
    const infos = await store.list(pattern, { times: flags.has('long') || flags.has('json') })
    if (!flags.has('long') && !flags.has('json')) {
      stdout.write(infos.map(({ id }) => `${id}\n`).join(''))
      return 0
    }
    const { kind } = await store.describe()
    if (flags.has('json')) {
      const rows = infos.map(({ id, createdAt, modifiedAt, metadata }) => ({
        id,
        store: kind,
        createdAt: createdAt?.toISOString(),
        modifiedAt: modifiedAt?.toISOString(),
        metadata: sorted(metadata),
      }))
      stdout.write(`${JSON.stringify(rows)}\n`)
      return 0
    }
    const { columns } = await import('../columns.js')
    const rows = infos.map(({ id, createdAt, metadata }) => [
      id,
      kind,
      createdAt === undefined ? '-' : `${createdAt.toISOString().slice(0, 19)}Z`,
      Object.entries(sorted(metadata))
        .map(([key, value]) => `${key}=${value}`)
        .join(' '),
    ])
    if (rows.length > 0) stdout.write(columns([['ID', 'STORE', 'CREATED', 'METADATA'], ...rows]))
    return 0
  },
}

/** Stores give metadata in an order of their own. */
function sorted(metadata: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(metadata).sort(([a], [b]) => (a < b ? -1 : 1)))
}
