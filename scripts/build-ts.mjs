// Builds the library (ES modules and types, by tsc), and the CLI and its daemon (CommonJS, by esbuild) into dist/.
import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, renameSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { bundleCli } from './bundle-cli.mjs'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
// Built beside and put in place at the end, so that what is there can be used until then.
const folder = `node_modules/.dist-${process.pid}`
const tsc = ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--outDir', folder]
execFileSync(process.execPath, tsc, { stdio: 'inherit' })

const common = {
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  format: 'cjs',
  minify: true, // a quarter less to read at every start
  legalComments: 'none',
  // A CommonJS file that comes by import() is read by Node's own parser first, which looks for its exports: of the daemon
  // that costs 10 MB.
  supported: { 'dynamic-import': false },
  // The parser for all of TOML is seldom needed, and Connect only by unusual requests.
  external: ['*.node', 'se-native-*', 'smol-toml', '@connectrpc/*', '@bufbuild/*'],
  // The loader of the addon looks from its own place, as in the library.
  define: { 'import.meta.url': 'nativeLoaderPath' },
}
const nativeLoaderPath = 'const nativeLoaderPath=__dirname+"/native/load.js";'

const daemonApart = {
  name: 'daemon in a bundle of its own, which no other command reads',
  setup({ onResolve }) {
    onResolve({ filter: /\/daemon\/run-daemon\.js$/ }, () => ({ path: './daemon.cjs', external: true }))
  },
}
await bundleCli({ ...common, plugins: [daemonApart] }, folder, nativeLoaderPath)
await build({
  ...common,
  entryPoints: ['src/daemon/run-daemon.ts'],
  outfile: `${folder}/daemon.cjs`,
  banner: { js: nativeLoaderPath },
})
await build({ ...common, entryPoints: ['src/cli/postinstall.ts'], outfile: `${folder}/postinstall.cjs` })
chmodSync(`${folder}/cli.cjs`, 0o755)
const before = `${folder}-before`
if (existsSync('dist')) renameSync('dist', before)
renameSync(folder, 'dist')
rmSync(before, { recursive: true, force: true })
