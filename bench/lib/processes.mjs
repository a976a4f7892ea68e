// Times whole processes: every command once a round, in turn, the order reversed every other round, so that a noisy
// machine is noisy to all. Figures are medians; ratios are medians of the ratios within a round.
import { spawnSync } from 'node:child_process'

/** The median of numbers. */
export function median(numbers) {
  const sorted = [...numbers].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/**
 * Runs contenders and measures them against the first.
 * @param contenders - `{ name, command, args, check }`; `check` gets the standard output of one run beforehand and throws
 * when it is not what it must be.
 * @param options - `env`, and how many `rounds`.
 * @returns a row for each: name, median and least milliseconds, ratio to the first.
 */
export function timeProcesses(contenders, { env, rounds = 31 }) {
  const start = ({ command, args }, stdio) => {
    const { status, stdout, stderr, error } = spawnSync(command, args, { env, stdio })
    if (error !== undefined || status !== 0) throw error ?? new Error(`${command} ${args.join(' ')}: ${stderr}`)
    return stdout
  }
  for (const contender of contenders) contender.check?.(start(contender, ['ignore', 'pipe', 'pipe']).toString())
  const times = contenders.map(() => [])
  for (let round = 0; round < rounds; round++) {
    const order = [...contenders.keys()]
    if (round % 2 === 1) order.reverse()
    for (const index of order) {
      const startedAt = process.hrtime.bigint()
      start(contenders[index], 'ignore')
      times[index].push(Number(process.hrtime.bigint() - startedAt) / 1e6)
    }
  }
  return contenders.map(({ name }, index) => ({
    name,
    medianMs: median(times[index]),
    leastMs: Math.min(...times[index]),
    ratio: median(times[index].map((time, round) => time / times[0][round])),
  }))
}
