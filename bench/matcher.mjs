// Patterns against ids, beside picomatch and minimatch. Those match paths, with rules of their own for components `.` and
// `..` (which are ordinary here); the ids that are used have none, and on these all agree, which is checked first.
// Needs `npm run build` and `npm install --prefix bench` before.
import { fileURLToPath } from 'node:url'
import { minimatch } from 'minimatch'
import picomatch from 'picomatch'
import { IdIndex, PatternSet, parsePattern } from '../dist/index.js'
import { makeIds, makePatterns } from './lib/ids.mjs'
import { machine } from './lib/machine.mjs'
import { measure } from './lib/rounds.mjs'
import { tables } from './lib/table.mjs'

/** The peers whose versions belong to the results. */
export const PEERS = ['picomatch', 'minimatch']

const withPicomatch = (pattern) => picomatch(pattern, { dot: true, nobrace: true, noext: true })
// minimatch lets `a/**` not match `a`; asked for both, it does.
const withMinimatch = (pattern) => {
  const options = { dot: true, nobrace: true, noext: true, nocomment: true, nonegate: true }
  const matches = (text) => {
    const compiled = new minimatch.Minimatch(text, options)
    return (id) => compiled.match(id)
  }
  const itself = matches(pattern)
  if (!pattern.endsWith('/**')) return itself
  const parent = matches(pattern.slice(0, -3))
  return (id) => itself(id) || parent(id)
}
const withPattern = (pattern) => {
  const parsed = parsePattern(pattern)
  return (id) => parsed.matches(id)
}
const WAYS = [
  ['picomatch', withPicomatch],
  ['minimatch', withMinimatch],
  ['Pattern (JavaScript)', withPattern],
]

/**
 * All rows.
 * @param options - `ids`: how many the index holds; `rounds`.
 */
export async function bench({ ids: count = 1_000_000, rounds = 7 } = {}) {
  const ids = makeIds(count)
  return [...(await onePattern(ids, rounds)), ...(await manyPatterns(ids, rounds)), ...(await manyIds(ids, rounds))]
}

async function onePattern(ids, rounds) {
  const some = ids.slice(0, 100_000)
  const rows = []
  for (const pattern of ['acme/prod/*/x', 'acme/*/db/**', 'docker/**', '**/token', '*/prod/*/*']) {
    const contenders = WAYS.map(([name, way]) => {
      const matches = way(pattern)
      return { name, run: () => some.reduce((hits, id) => hits + (matches(id) ? 1 : 0), 0) }
    })
    rows.push(await measure(`one pattern, one id: \`${pattern}\``, contenders, { per: some.length, rounds }))
  }
  return rows
}

async function manyPatterns(ids, rounds) {
  const rows = []
  for (const [count, goal] of [[10], [100], [1000, 100]]) {
    const patterns = makePatterns(count, ids)
    const some = ids.slice(0, Math.min(20_000, 200_000 / count))
    const set = PatternSet.compile(patterns)
    const loops = WAYS.map(([name, way]) => {
      const all = patterns.map(way)
      const run = () => some.map((id) => all.flatMap((matches, row) => (matches(id) ? [row] : [])))
      return { name: `${name}, in a loop`, run }
    })
    const contenders = [
      ...loops,
      { name: 'PatternSet.matches', run: () => some.map((id) => set.matches(id)), goal },
      {
        name: 'PatternSet.matchMany',
        run: () => set.matchMany(some),
        result: (pairs) => byId(pairs, some.length),
        goal,
      },
    ]
    rows.push(await measure(`${count} patterns, one id`, contenders, { per: some.length, rounds }))
  }
  return rows
}

function byId(pairs, ids) {
  const rows = Array.from({ length: ids }, () => [])
  for (let n = 0; n < pairs.length; n += 2) rows[pairs[n]].push(pairs[n + 1])
  return rows
}

async function manyIds(ids, rounds) {
  let index
  const build = await measure(
    `building an index of ${ids.length} ids`,
    [{ name: 'IdIndex.from', run: () => (index = IdIndex.from(ids)), result: () => true }],
    { per: ids.length, rounds: 3 },
  )
  build.note = `${(index.byteLength / ids.length).toFixed(1)} bytes an id; the text has ${(ids.join('').length / ids.length).toFixed(1)}`
  const rows = [build]
  const inOrder = (found) => Uint32Array.from(found).sort()
  for (const [pattern, goal] of [
    ['acme/prod/svc-5/**', 100],
    ['acme/*/*/db/**', 100],
    ['docker/**', 100],
    // Neither anchored nor a leaf: only the count leaves picomatch a hundredfold behind.
    ['*/prod/*/*'],
    ['**/token', 20],
    ['*/*/*/*/*/user'],
    ['**/db/**/token'],
    ['**/x/**', 5],
    ['**/unit-7/**', 5],
    ['**'],
  ]) {
    const parsed = parsePattern(pattern)
    const picked = withPicomatch(pattern)
    const scan = (matches) => () => {
      const found = []
      for (let row = 0; row < ids.length; row++) if (matches(ids[row])) found.push(row)
      return found
    }
    const contenders = [
      { name: 'picomatch, scan', run: scan(picked), result: inOrder },
      { name: 'Pattern (JavaScript), scan', run: scan((id) => parsed.matches(id)), result: inOrder },
      { name: 'IdIndex.rows', run: () => index.rows(parsed), result: inOrder, goal },
      { name: 'IdIndex.count', run: () => index.count(parsed), result: () => inOrder(index.rows(parsed)), goal },
      { name: 'IdIndex.list', run: () => index.list(parsed), result: (list) => inOrder(rowsOf(list, ids)) },
    ]
    const hits = index.count(parsed)
    if (hits !== index.rows(parsed).length) throw new Error(`${pattern}: count and rows do not agree`)
    rows.push(
      await measure(`one pattern, ${ids.length} ids: \`${pattern}\``, contenders, { rounds, note: `${hits} hits` }),
    )
  }
  return rows
}

let positions
function rowsOf(list, ids) {
  positions ??= new Map(ids.map((id, row) => [id, row]))
  return list.map((id) => positions.get(id))
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(`${machine(PEERS)}\n\n${tables(await bench())}`)
}
