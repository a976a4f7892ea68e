import { join } from 'node:path'
import test from 'ava'
import { openStore } from '../../src/index.js'
import { checkBundle, createHome } from '../helpers/se.js'

test.before(checkBundle)

test('of many secrets in the way 20 are named and the others counted', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  const entries = Array.from({ length: 23 }, (_, index) => ({ id: `n/${index + 10}`, value: 'v' }))
  const files = ['a', 'b'].map((name) => join(home.folder, 'data', `${name}.age`))
  for (const path of files) {
    using store = await openStore({ kind: 'file', path, identity: `${path}-key`, create: true })
    await store.setMany(entries)
  }
  const [chosen = '', other = ''] = files
  const env = { SE_STORE: 'file', SE_STORE_PATH: chosen, SE_IDENTITY: `${chosen}-key` }
  const { stderr, status } = await home.se(
    ['store', 'export', 'file', '--path', other, '--identity', `${other}-key`, '--dry-run'],
    { env },
  )
  t.is(status, 1)
  t.regex(
    stderr,
    /^se: secrets are stored under 23 of the IDs already: n\/10, .*, n\/29 and 3 more; nothing was copied\n/,
  )
})
