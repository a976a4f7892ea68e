import test from 'ava'
import { COMMANDS } from '../../src/cli/commands.js'
import { complete } from '../../src/cli/complete.js'

const IDS = ['app/db', 'app/key', 'team:x/token']
const PLUGINS = ['docker-pass', 'vault']
const beginning = (all: readonly string[]) => async (prefix: string) => all.filter((word) => word.startsWith(prefix))
const listers = { id: beginning(IDS), plugin: beginning(PLUGINS) }
const offered = async (line: string) => {
  const { kind, words } = await complete(line.split(' '), COMMANDS, listers)
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
  ['get --reveal --', ['--json', '--no-daemon', '--help']],
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
  const { words } = await complete(['doc'], COMMANDS, listers)
  t.deepEqual(words, [{ word: 'doctor', note: 'check what works, and say what to do' }])
})
