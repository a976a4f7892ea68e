import test from 'ava'
import { COMMANDS } from '../../src/cli/commands.js'
import { complete } from '../../src/cli/complete.js'

const IDS = ['app/db', 'app/key', 'team:x/token']
const ids = async (prefix: string) => IDS.filter((id) => id.startsWith(prefix))
const offered = async (line: string) => {
  const { kind, words } = await complete(line.split(' '), COMMANDS, ids)
  return kind === 'words' ? words.map(({ word }) => word) : kind
}

for (const [line, expected] of [
  ['ge', ['get', 'generate']],
  ['--v', ['--version']],
  ['nonsense ', []],
  ['get ', IDS],
  ['get app/', ['app/db', 'app/key']],
  ['get team:', ['team:x/token']],
  ['get app/db ', []],
  ['rm app/db app/k', ['app/key']],
  ['rm -- app/k', ['app/key']],
  ['get --re', ['--reveal']],
  ['get --reveal --', ['--json', '--help']],
  ['get app/db --output ', 'files'],
  ['get -o ', 'files'],
  ['get --output=', 'files'],
  ['set x --store ', ['keychain', 'file']],
  ['set x --store=f', ['--store=file']],
  ['set --metadata a=b --m', ['--metadata']],
  ['set --force --f', []],
  ['store ', ['use', 'import', 'export', 'passphrase', 'rotate', 'recipient']],
  ['store use ', ['keychain', 'file']],
  ['store use file --pat', ['--path']],
  ['completion ', ['bash', 'zsh', 'fish']],
  ['help gen', ['generate']],
  ['help store i', ['import']],
] as const) {
  test(`"se ${line}" is completed`, async (t) => {
    t.deepEqual(await offered(line), expected)
  })
}

test('words come with what they mean', async (t) => {
  const { words } = await complete(['doc'], COMMANDS, ids)
  t.deepEqual(words, [{ word: 'doctor', note: 'check what works, and say what to do' }])
})
