import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import test from 'ava'
import { InternalError, type SecretsError, VERSION } from '../src/index.js'
import type { NativeBinding } from '../src/native/binding.js'
import { load, loadBeside, native, platformName } from '../src/native/load.js'

const binding = { nativeVersion: () => VERSION } as unknown as NativeBinding

function missing(name: string): never {
  throw Object.assign(new Error(`Cannot find module '${name}'\nRequire stack:\n- here`), { code: 'MODULE_NOT_FOUND' })
}

test('the package of the platform is tried first, and nothing else when it is there', (t) => {
  const tried: string[] = []
  const found = load((name) => {
    tried.push(name)
    return binding
  }, 'linux-x64-gnu')
  t.is(found, binding)
  t.deepEqual(tried, ['se-native-linux-x64-gnu'])
})

test('a local build is tried next', (t) => {
  const found = load((name) => (name.endsWith('.node') ? binding : missing(name)), 'linux-x64-gnu')
  t.is(found, binding)
})

test('SE_NATIVE_MISSING lists every attempt with its error, on a line each', (t) => {
  const error = t.throws(() => load(missing, 'linux-arm64-musl'), { code: 'SE_NATIVE_MISSING' }) as SecretsError
  t.true(error instanceof InternalError)
  t.deepEqual(error.details, {
    platform: 'linux-arm64-musl',
    attempts: [
      { from: 'se-native-linux-arm64-musl', error: "Cannot find module 'se-native-linux-arm64-musl'" },
      {
        from: '../../se-native.linux-arm64-musl.node',
        error: "Cannot find module '../../se-native.linux-arm64-musl.node'",
      },
    ],
  })
  t.is(error.message.split('\n').length, 3)
  t.true(error.hint?.includes('npm install se-native-linux-arm64-musl'))
})

test('a library that cannot be loaded is an attempt that failed, not a crash', (t) => {
  const broken = (name: string): never => {
    throw Object.assign(new Error(`${name}: invalid ELF header`), { code: 'ERR_DLOPEN_FAILED' })
  }
  const error = t.throws(() => load(broken, 'linux-x64-gnu'), { code: 'SE_NATIVE_MISSING' })
  t.true(error?.message.includes('invalid ELF header'))
})

test('a native part of another version is an attempt that failed', (t) => {
  const old = { nativeVersion: () => '0.0.1' }
  const error = t.throws(() => load(() => old, 'linux-x64-gnu'), { code: 'SE_NATIVE_MISSING' })
  t.true(error?.message.includes(`it is version 0.0.1, and ${VERSION} is needed`))
})

test('the name of the platform is that of the local build, found without spawning anything', (t) => {
  t.true(existsSync(new URL(`../se-native.${platformName()}.node`, import.meta.url)))
})

test('the native part is loaded once', (t) => {
  t.is(native(), native())
  t.is(createRequire(import.meta.url)(`../se-native.${platformName()}.node`), native())
})

test('the package of the platform that lies beside this one is loaded without a search', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'se-loader-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const platform = platformName()
  const here = join(folder, 'node_modules/se-native/dist/native/load.js')
  t.is(loadBeside(here), undefined, 'it is not there')
  const beside = join(folder, `node_modules/se-native-${platform}`)
  const file = join(beside, `se-native.${platform}.node`)
  mkdirSync(beside, { recursive: true })
  writeFileSync(file, 'no library')
  t.is(loadBeside(here), undefined, 'it cannot be loaded')
  rmSync(file)
  symlinkSync(fileURLToPath(new URL(`../se-native.${platform}.node`, import.meta.url)), file)
  t.is(loadBeside(here)?.nativeVersion(), VERSION)
  t.is(loadBeside(pathToFileURL(here).href)?.nativeVersion(), VERSION)
  const elsewhere = join(folder, 'node_modules/se-native-fork/dist/native/load.js')
  t.is(loadBeside(elsewhere), undefined, 'only beside a package of our name')
})
