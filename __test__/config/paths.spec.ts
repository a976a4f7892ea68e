import test from 'ava'
import { absolutePath, defaultPaths } from '../../src/config/paths.js'

const linux = (env: NodeJS.ProcessEnv) => defaultPaths({ env, platform: 'linux', home: '/home/ada' })

test('on Linux, files are in the XDG folders', (t) => {
  const paths = linux({ XDG_CONFIG_HOME: '/c', XDG_DATA_HOME: '/d', XDG_STATE_HOME: '/s' })
  t.is(paths.pluginFolder, '/d/se-native/plugins')
  t.is(paths.pluginStateFile, '/d/se-native/plugins.json')
  t.is(paths.pluginLogFolder, '/s/se-native/plugins')
  t.is(paths.configFile, '/c/se-native/config.toml')
  t.is(paths.storeFile, '/d/se-native/store.age')
  t.is(paths.identityFile, '/d/se-native/identity.age')
})

for (const [title, value] of [
  ['unset', undefined],
  ['empty', ''],
  ['relative', 'here'],
] as const) {
  test(`an XDG variable that is ${title} gives its default`, (t) => {
    const paths = linux({ XDG_CONFIG_HOME: value, XDG_DATA_HOME: value })
    t.is(paths.configFolder, '/home/ada/.config/se-native')
    t.is(paths.dataFolder, '/home/ada/.local/share/se-native')
    t.is(paths.pluginLogFolder, '/home/ada/.local/state/se-native/plugins')
  })
}

test('on macOS, files are in Application Support, unless an XDG variable says otherwise', (t) => {
  const of = (env: NodeJS.ProcessEnv) => defaultPaths({ env, platform: 'darwin', home: '/Users/ada' })
  t.is(of({}).storeFile, '/Users/ada/Library/Application Support/se-native/store.age')
  t.is(of({ XDG_CONFIG_HOME: '/c' }).configFile, '/c/se-native/config.toml')
})

test('on Windows, configuration is in APPDATA and data in LOCALAPPDATA', (t) => {
  const env = { APPDATA: 'C:\\Users\\ada\\Roam', LOCALAPPDATA: 'C:\\Users\\ada\\Loc' }
  const paths = defaultPaths({ env, platform: 'win32', home: 'C:\\Users\\ada' })
  t.is(paths.configFile, 'C:\\Users\\ada\\Roam\\se-native\\config.toml')
  t.is(paths.storeFile, 'C:\\Users\\ada\\Loc\\se-native\\store.age')
  const bare = defaultPaths({ env: {}, platform: 'win32', home: 'C:\\Users\\ada' })
  t.is(bare.dataFolder, 'C:\\Users\\ada\\AppData\\Local\\se-native')
})

test('a path may begin at the home folder, at the root, or at the place it was written', (t) => {
  const base = { env: {}, platform: 'linux', home: '/home/ada' } as const
  t.is(absolutePath('~/x', '/etc', base), '/home/ada/x')
  t.is(absolutePath('~', '/etc', base), '/home/ada')
  t.is(absolutePath('/x', '/etc', base), '/x')
  t.is(absolutePath('../x', '/etc/a', base), '/etc/x')
  t.is(absolutePath('~ada/x', '/etc', base), '/etc/~ada/x')
})
