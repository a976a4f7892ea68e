// The router: what a request costs beside the plugin's own work, and what asking many plugins costs beside asking one.
// Needs `npm run build`.
import { createEngine, definePlugin, Secret } from '../dist/index.js'
import { measure } from './lib/rounds.mjs'

const ID = 'team/db/password'
const VALUE = Buffer.from('correct horse battery staple')
const PLUGIN_MS = 100
const requester = { pid: process.pid, name: 'bench', path: process.execPath }

function plugin(name, pattern, more = {}) {
  const getSecrets = () => [Secret.from(ID, VALUE)]
  return definePlugin({ name, version: 'v1.0.0', pattern, getSecrets, ...more })
}

/** One run: long enough to be compiled, and for a clock. */
const REQUESTS = 1000
const repeated = (work) => async () => {
  for (let n = 0; n < REQUESTS; n++) (await work()).dispose()
}
const asking = (engine) => repeated(async () => (await engine.getSecrets(ID, { requester }))[0])

/** One table for each question: rows with medians, and ratios to the first row. */
export async function bench() {
  const one = await createEngine({ plugins: [plugin('one', '**')] })
  const others = Array.from({ length: 9 }, (_, n) => plugin(`other${n}`, `other${n}/**`))
  const ten = await createEngine({ plugins: [plugin('one', '**'), ...others] })
  const keeping = await createEngine({ plugins: [plugin('one', '**', { cacheTtlMs: 3_600_000 })] })
  const request = await measure(
    'one id',
    [
      {
        name: 'the plugin’s own work: a secret is made and disposed',
        run: repeated(async () => Secret.from(ID, VALUE)),
      },
      { name: '`getSecrets`, one plugin', run: asking(one) },
      { name: '`getSecrets`, ten plugins, one of which overlaps', run: asking(ten) },
      { name: '`getSecrets`, an answer that was kept', run: asking(keeping) },
    ],
    { per: REQUESTS },
  )
  const slow = { getSecrets: () => new Promise((resolve) => setTimeout(() => resolve([]), PLUGIN_MS)) }
  const slowEngine = (count) =>
    createEngine({ plugins: Array.from({ length: count }, (_, n) => plugin(`slow${n}`, '**', slow)) })
  const engines = [await slowEngine(1), await slowEngine(10)]
  const fanOut = await measure(
    'fan-out',
    [
      { name: `one plugin of ${PLUGIN_MS} ms`, run: () => engines[0].getSecrets(ID) },
      { name: `ten plugins of ${PLUGIN_MS} ms`, run: () => engines[1].getSecrets(ID), goal: 1.3 },
    ],
    { rounds: 7 },
  )
  const rows = [request, fanOut].flatMap(({ contenders }) =>
    contenders.map(({ name, medianNs, ratio, goal }, n) => {
      return { name, medianUs: medianNs / 1000, cost: n === 0 ? undefined : 1 / ratio, goal }
    }),
  )
  for (const engine of [one, ten, keeping, ...engines]) await engine.close()
  return rows
}
