// Ids and patterns such as a large organisation has, the same in every run.

/** A small generator of numbers (mulberry32). */
export function random(seed) {
  let state = seed
  return (bound) => {
    state = (state + 0x6d2b79f5) | 0
    let word = Math.imul(state ^ (state >>> 15), 1 | state)
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word
    return ((word ^ (word >>> 14)) >>> 0) % bound
  }
}

const REALMS = ['acme', 'docker', 'globex', 'initech', 'hooli', 'umbrella', 'stark', 'wayne']
const STAGES = ['prod', 'staging', 'dev', 'qa', 'test', 'preview', 'sandbox', 'load', 'eu-1', 'us-2']
const PARTS = ['db', 'cache', 'queue', 'auth', 'mail', 'search', 'files', 'metrics', 'web', 'jobs', 'x', 'y']
const LEAVES = ['token', 'password', 'user', 'key', 'cert', 'url', 'secret', 'dsn']

/** Distinct ids of 3 to 6 components, about 30 characters long, in no order. None has a component `.` or `..`. */
export function makeIds(count, seed = 1) {
  const below = random(seed)
  const pick = (from) => from[below(from.length)]
  const ids = new Set()
  while (ids.size < count) {
    const parts = [pick(REALMS), pick(STAGES), `svc-${below(20_000)}`]
    const more = below(4)
    for (let n = 1; n < more; n++) parts.push(below(3) === 0 ? `unit-${below(50)}` : pick(PARTS))
    if (more > 0) parts.push(below(4) === 0 ? `${pick(LEAVES)}-${below(1000)}` : pick(LEAVES))
    if (below(20) === 0) parts.splice(2, 1)
    ids.add(parts.join('/'))
  }
  return [...ids]
}

/** Patterns that fit these ids: 40 % exact, 20 % with one `*`, 10 % with two, 20 % `prefix/**`, 10 % with a leading `**`. */
export function makePatterns(count, ids, seed = 2) {
  const below = random(seed)
  return Array.from({ length: count }, () => {
    const parts = ids[below(ids.length)].split('/')
    const kind = below(10)
    if (kind < 4) return parts.join('/')
    if (kind < 7) {
      for (let n = kind < 6 ? 1 : 2; n > 0; n--) parts[below(parts.length)] = '*'
      return parts.join('/')
    }
    return kind < 9
      ? `${parts.slice(0, 1 + below(parts.length)).join('/')}/**`
      : `**/${parts.slice(-1 - below(2)).join('/')}`
  })
}
