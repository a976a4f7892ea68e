// Builds the library (ES modules and types, by tsc) and the CLI (one CommonJS file, by esbuild) into dist/.
import { execFileSync } from 'node:child_process'
import { chmodSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
rmSync('dist', { recursive: true, force: true })
execFileSync(process.execPath, ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json'], { stdio: 'inherit' })
await build({
  entryPoints: ['src/cli/start.ts'],
  outfile: 'dist/cli.cjs',
  bundle: true,
  platform: 'node',
  target: 'node20.19',
  format: 'cjs',
  minify: true, // a quarter less to read at every start
  legalComments: 'none',
  external: ['*.node', 'se-native-*', 'smol-toml'], // the parser for all of TOML is seldom needed
  // The loader of the addon looks from its own place, as in the library.
  define: { 'import.meta.url': 'nativeLoaderPath' },
  banner: { js: '#!/usr/bin/env node\nconst nativeLoaderPath=__dirname+"/native/load.js";' },
})
chmodSync('dist/cli.cjs', 0o755)
