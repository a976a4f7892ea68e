// Times whole processes: every command in turn, round by round, the order reversed every other round, so that a noisy
// machine is noisy to all. Figures are medians; ratios are medians of the ratios within a round.
//
// A shell starts them, as it does for people: Node takes two milliseconds for that, more the larger it has grown.
import { spawnSync } from 'node:child_process'
import { median } from './median.mjs'

/** What one measurement lasts. The shell's own start is taken off. */
const LEAST_MS = 100
const LOOP = 'n="$1"; shift; while [ "$n" -gt 0 ]; do "$@" || exit; n=$((n - 1)); done'

/**
 * Runs contenders and measures them against the first.
 * @param contenders - `{ name, command, args, check }`; `check` gets the standard output of one run beforehand and throws
 * when it is not what it must be.
 * @param options - `env`, and how many `rounds`.
 * @returns a row for each: name, median and least milliseconds, ratio to the first.
 */
export function timeProcesses(contenders, { env, rounds = 31 }) {
  const start = ({ command, args }, count, stdio) => {
    const { status, stdout, stderr, error } = spawnSync('sh', ['-c', LOOP, 'sh', count, command, ...args], {
      env,
      stdio,
    })
    if (error !== undefined || status !== 0) throw error ?? new Error(`${command} ${args.join(' ')}: ${stderr}`)
    return stdout
  }
  const time = (contender, count) => {
    const startedAt = process.hrtime.bigint()
    start(contender, count, 'ignore')
    return Number(process.hrtime.bigint() - startedAt) / 1e6
  }
  const shellMs = median(Array.from({ length: 9 }, () => time({ command: ':', args: [] }, 1)))
  // Of some in a row, which are faster than the first.
  const each = (contender, count) => (time(contender, count) - shellMs) / count
  const counts = contenders.map((contender) => {
    const stdout = start(contender, 1, ['ignore', 'pipe', 'pipe']).toString()
    contender.check?.(stdout)
    return Math.max(1, Math.ceil(LEAST_MS / each(contender, 4)))
  })
  const times = contenders.map(() => [])
  for (let round = 0; round < rounds; round++) {
    const order = [...contenders.keys()]
    if (round % 2 === 1) order.reverse()
    for (const index of order) times[index].push(each(contenders[index], counts[index]))
  }
  return contenders.map(({ name }, index) => ({
    name,
    medianMs: median(times[index]),
    leastMs: Math.min(...times[index]),
    ratio: median(times[index].map((time, round) => time / times[0][round])),
  }))
}
