// Times work within this process: every contender once a round, in turn, the order reversed every other round, so that a
// noisy machine is noisy to all. Before that, all must give equal results.
import { deepStrictEqual } from 'node:assert/strict'
import { median } from './median.mjs'

/** Work that is shorter is repeated to fill this many nanoseconds, as a clock and a cold cache would weigh too much. */
const LEAST_NS = 5e6

/**
 * Measures contenders against the first one.
 * @param name - What is measured.
 * @param contenders - `{ name, run, result?, goal? }`: `run` does the work, or returns a promise of it; `result` turns what
 * it returns into what must be equal for all; `goal` is the ratio that is wanted.
 * @param options - `per`: how many operations one run does (default 1); `rounds`; `note`: shown beside the name.
 * @returns `{ name, note, contenders: [{ name, medianNs, ratio, goal }] }`: nanoseconds for one operation, and how many
 * times as fast as the first one (the median over the rounds).
 */
export async function measure(name, contenders, { per = 1, rounds = 9, note } = {}) {
  let expected
  for (const [n, { name: who, run, result = (value) => value }] of contenders.entries()) {
    const got = result(await run())
    if (n === 0) expected = got
    else deepStrictEqual(got, expected, `${name}: ${who} does not agree with ${contenders[0].name}`)
  }
  const repeats = []
  for (const { run } of contenders) repeats.push(Math.ceil(Math.min(1000, LEAST_NS / (await time(run, 1)))))
  const times = contenders.map(() => [])
  for (let round = 0; round < rounds; round++) {
    const order = [...contenders.keys()]
    if (round % 2 === 1) order.reverse()
    for (const n of order) times[n].push(await time(contenders[n].run, repeats[n]))
  }
  return {
    name,
    note,
    contenders: contenders.map(({ name: who, goal }, n) => ({
      name: who,
      medianNs: median(times[n]) / per,
      ratio: median(times[n].map((time, round) => times[0][round] / time)),
      goal,
    })),
  }
}

// Nanoseconds of one run.
async function time(run, repeats) {
  const startedAt = process.hrtime.bigint()
  for (let n = 0; n < repeats; n++) {
    const value = run()
    if (value instanceof Promise) await value
  }
  return Number(process.hrtime.bigint() - startedAt) / repeats
}
