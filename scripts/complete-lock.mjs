// Completes package-lock.json after `npm install`: a registry mirror may not serve the packages of other platforms, and
// npm then leaves them out of the lock, so that `npm ci` refuses it everywhere. Adds them, without a checksum, as the
// optional packages of their platform that they are.
import { readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

const file = fileURLToPath(new URL('../package-lock.json', import.meta.url))
const lock = JSON.parse(readFileSync(file, 'utf8'))
const systems = { android: 'android', darwin: 'darwin', freebsd: 'freebsd', linux: 'linux', win32: 'win32' }
const extraSystems = { netbsd: 'netbsd', openbsd: 'openbsd', openharmony: 'openharmony', sunos: 'sunos', aix: 'aix' }
const cpus = ['arm64', 'x64', 'ia32', 'arm', 'ppc64', 'riscv64', 's390x', 'loong64', 'mips64el', 'wasm32']

/** What the name of a platform package says of the platform: `linux-arm-gnueabihf`, `win32-x64-msvc`. */
function platformOf(name) {
  const words = name.split(/[-/]/)
  const os = words.flatMap((word) => ({ ...systems, ...extraSystems })[word] ?? [])
  const cpu = words.filter((word) => cpus.includes(word))
  const libc = words.includes('musl') ? ['musl'] : words.includes('gnu') ? ['glibc'] : undefined
  return { ...(cpu.length > 0 && { cpu }), ...(os.length > 0 && { os }), ...(libc && { libc }) }
}

for (const [path, entry] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const nested = `${path === '' ? '' : `${path}/`}node_modules/${name}`
    const place = `node_modules/${name}`
    if (lock.packages[nested]?.version === undefined) delete lock.packages[nested]
    if (lock.packages[nested] !== undefined || lock.packages[place]?.version !== undefined) continue
    const platform = platformOf(name)
    if (platform.cpu !== undefined) lock.packages[place] = { version, dev: true, optional: true, ...platform }
  }
}
lock.packages = Object.fromEntries(Object.entries(lock.packages).sort(([a], [b]) => (a < b ? -1 : 1)))
writeFileSync(file, `${JSON.stringify(lock, null, 2)}\n`)
