import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { launcherPath } from '../../src/native/launcher.js'

const unix = process.platform === 'win32' ? test.skip : test

unix('the launcher is the one of the platform’s package, else the one that was built here', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'se launcher#'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const own = join(folder, 'node_modules/se-native')
  const here = join(own, 'dist/native/load.js')
  mkdirSync(join(own, 'dist/native'), { recursive: true })
  const error = t.throws(() => launcherPath(here, 'linux-x64-gnu'), { code: 'SE_NATIVE_MISSING' } as never)
  t.regex(error?.message ?? '', /se-native-linux-x64-gnu\/se\n.*\/se-native\/se\.linux-x64-gnu$/)
  t.regex((error as { hint?: string }).hint ?? '', /npm install se-native-linux-x64-gnu/)
  const program = (path: string): string => {
    writeFileSync(path, '')
    chmodSync(path, 0o755)
    return path
  }
  const built = program(join(own, 'se.linux-x64-gnu'))
  t.is(launcherPath(here, 'linux-x64-gnu'), built)
  mkdirSync(join(folder, 'node_modules/se-native-linux-x64-gnu'))
  const shipped = join(folder, 'node_modules/se-native-linux-x64-gnu/se')
  writeFileSync(shipped, '')
  t.is(launcherPath(here, 'linux-x64-gnu'), built, 'a file that is no program')
  program(shipped)
  t.is(launcherPath(here, 'linux-x64-gnu'), shipped)
})
