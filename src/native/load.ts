// Loads the native part: one `.node` file, from the platform's package or from a local build. Nothing is loaded before
// it is needed.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { createError } from '../errors/secrets-error.js'
import { VERSION } from '../version.js'
import type { NativeBinding } from './binding.js'

let loaded: NativeBinding | undefined

/**
 * The native part of this package. The first call loads it, without spawning anything: from the package
 * `se-native-<platform>`, else from the top level of this one, where a local build puts it.
 * @throws `InternalError` `SE_NATIVE_MISSING`, whose details list every attempt and its error.
 */
export function native(): NativeBinding {
  loaded ??= loadBeside(import.meta.url) ?? load(createRequire(import.meta.url))
  return loaded
}

/**
 * The native part in the folder where package managers put it, beside this package: Node's own search costs a start 1.5 ms.
 * Nothing where it is elsewhere, or cannot be loaded: `load` tells why.
 * @param here - The URL or the path of a file of this package. Exported for its tests.
 */
export function loadBeside(here: string, platform = platformName()): NativeBinding | undefined {
  const [, modules] =
    /^(.*[\\/]node_modules[\\/])se-native[\\/]/.exec(here.startsWith('file:') ? fileURLToPath(here) : here) ?? []
  if (modules === undefined) return undefined
  const module = { exports: {} as NativeBinding }
  try {
    process.dlopen(module, `${modules}se-native-${platform}/se-native.${platform}.node`)
    return module.exports.nativeVersion() === VERSION ? module.exports : undefined
  } catch {
    return undefined
  }
}

function createRequire(from: string): (name: string) => unknown {
  // An import of `node:module` would take half a millisecond of every start.
  return process.getBuiltinModule('node:module').createRequire(from)
}

/** Tries each place in turn. Exported for its tests. */
export function load(require: (name: string) => unknown, platform = platformName()): NativeBinding {
  const attempts = []
  for (const from of [`se-native-${platform}`, `../../se-native.${platform}.node`]) {
    try {
      const binding = require(from) as NativeBinding
      const version = binding.nativeVersion()
      if (version === VERSION) return binding
      attempts.push({ from, error: `it is version ${version}, and ${VERSION} is needed` })
    } catch (error) {
      attempts.push({ from, error: firstLine(error) })
    }
  }
  const tried = attempts.map(({ from, error }) => `\n  ${from}: ${error}`).join('')
  throw createError('SE_NATIVE_MISSING', `the native part for ${platform} could not be loaded; tried:${tried}`, {
    hint: `install it with: npm install se-native-${platform} (package managers leave it out with --omit=optional)`,
    details: { platform, attempts },
  })
}

function firstLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split('\n', 1)[0] ?? ''
}

/** The platform's name as in the names of the packages, such as `linux-x64-gnu`. */
export function platformName(): string {
  const { platform, arch } = process
  if (platform === 'linux') return `linux-${arch}-${isMusl() ? 'musl' : 'gnu'}`
  return platform === 'win32' ? `win32-${arch}-msvc` : `${platform}-${arch}`
}

// Which C library is mapped. Node's report knows as well, but takes milliseconds: it is asked only where neither has its
// usual name, or the mappings may not be read. (`readFileSync` is what Node has compiled already, to read this file.)
function isMusl(): boolean {
  let mapped = ''
  try {
    mapped = readFileSync('/proc/self/maps', 'utf8')
  } catch {
    // Without /proc the report decides.
  }
  const [, name] = /\/(ld-musl-|libc\.so\.6|libc-2\.)[^/\n]*$/m.exec(mapped) ?? []
  if (name !== undefined) return name === 'ld-musl-'
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined
  return report?.header?.glibcVersionRuntime === undefined
}
