// Bundles the command line into a few CommonJS files, so that a start reads and compiles little beyond what it needs: that is
// a quarter of its time. A module is in one of the files, so that there is one of each class; each file asks the others
// for their modules. esbuild splits ES modules only, which take Node longer to load.
import { join, relative } from 'node:path'
import { build } from 'esbuild'

/**
 * The files, and the modules that each begins with where they are imported dynamically. What several of them need is in the
 * first of those.
 */
const FILES = [
  // What every start needs, and `get` with a daemon.
  { name: 'cli.cjs', begins: /\/src\/cli\/start\.ts$/ },
  // What a person reads.
  { name: 'cli-report.cjs', begins: /\/src\/cli\/(help|report)\.ts$/ },
  { name: 'cli-run.cjs', begins: /\/src\/cli\/commands\/(run|env)\.ts$/ },
  // What a store needs, and an engine in this process.
  {
    name: 'cli-store.cjs',
    begins:
      /\/src\/(client\/local-engine|config\/tables|cli\/(open-chosen-store|passphrase)|cli\/commands\/(set|ls))\.ts$/,
  },
  // What plugins in processes of their own need.
  { name: 'cli-plugins.cjs', begins: /\/src\/plugin-host\// },
  // All else.
  { name: 'cli-rest.cjs', begins: /\/src\/cli\/(commands\/(?!(get|run|env|set|ls)\.ts)|docker\/main)/ },
]

/**
 * Writes the files.
 * @param common - Options of esbuild for every bundle.
 * @param folder - Where the files go.
 * @param banner - The beginning of each file; the first one's has a line before it that names the interpreter.
 */
export async function bundleCli(common, folder, banner) {
  const asked = FILES.map(() => new Set())
  const home = new Map()
  // What a file is asked for is known only when the others are made: all are made twice.
  for (const round of ['look', 'write']) {
    for (const [index, { name }] of FILES.entries()) {
      const start = index === 0 ? "require('./src/cli/start.ts')" : ''
      const { metafile } = await build({
        ...common,
        outfile: join(folder, name),
        banner: { js: index === 0 ? `#!/usr/bin/env node\n${banner}` : banner },
        stdin: { contents: `${offer(asked[index])}${start}`, resolveDir: process.cwd(), sourcefile: `${name}.js` },
        write: round === 'write',
        metafile: true,
        plugins: [...(common.plugins ?? []), askOthers(index, home, asked)],
      })
      for (const input of Object.keys(metafile.inputs)) if (!home.has(input)) home.set(input, index)
    }
  }
}

/** Gives modules out by their names, as lists of what they export. Each begins when it is asked for. */
function offer(names) {
  const rows = [...names].map((name) => `${JSON.stringify(name)}:()=>require(${JSON.stringify(`offered:${name}`)}).all`)
  return `const modules={${rows.join(',')}}\nexports.load=(name)=>modules[name]()\n`
}

/** Has a file ask the others for their modules. */
function askOthers(own, home, asked) {
  const whose = (path, kind) => {
    const begins = kind === 'dynamic-import' ? FILES.findIndex((file) => file.begins.test(path)) : -1
    return home.get(keyOf(path)) ?? (begins >= 0 ? begins : own)
  }
  return {
    name: 'asks the other files',
    setup({ onResolve, onLoad, resolve }) {
      onResolve({ filter: /^\.\/cli.*\.cjs$/ }, ({ path }) => ({ path, external: true }))
      onResolve({ filter: /^offered:/ }, ({ path }) => ({ path: path.slice('offered:'.length), namespace: 'offered' }))
      onResolve({ filter: /^\.\.?\// }, async ({ path, importer, namespace, resolveDir, kind, pluginData }) => {
        if (pluginData === askOthers || namespace === 'asked' || namespace === 'offered') return undefined
        const found = await resolve(path, { importer, namespace, resolveDir, kind, pluginData: askOthers })
        if (found.errors.length > 0 || found.external) return undefined
        const other = whose(found.path, kind)
        if (other === own) return undefined
        asked[other].add(keyOf(found.path))
        return { path: keyOf(found.path), namespace: 'asked', pluginData: FILES[other].name }
      })
      // Lists, by place: esbuild copies a CommonJS module member by member, for each that imports it.
      onLoad({ filter: /.*/, namespace: 'offered' }, async ({ path }) => {
        const names = await namesOf(path)
        const contents = `import {${names}} from ${JSON.stringify(`./${path}`)}\nexport const all=[${names}]`
        return { contents, resolveDir: process.cwd() }
      })
      onLoad({ filter: /.*/, namespace: 'asked' }, async ({ path, pluginData }) => {
        const names = await namesOf(path)
        return {
          contents: `const [${names}]=require('./${pluginData}').load(${JSON.stringify(path)})\nexport {${names}}`,
        }
      })
    },
  }
}

/** What a module exports. All of it is there when the module has begun, and none changes later. */
async function namesOf(path) {
  const { metafile } = await build({ entryPoints: [path], format: 'esm', write: false, metafile: true })
  return Object.values(metafile.outputs)[0].exports.join(',')
}

function keyOf(path) {
  return relative(process.cwd(), path).replaceAll('\\', '/')
}
