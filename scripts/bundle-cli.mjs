// Bundles the command line into a few CommonJS files, so that a start reads and compiles little beyond what it needs: that is
// a third of its time, 0.1 ms for each kilobyte. A module is in one of the files, so that there is one of each class; each
// file asks the others for their modules. esbuild splits ES modules only, which take Node longer to load.
import { join, relative } from 'node:path'
import { build } from 'esbuild'

/**
 * The files, and the modules that each begins with where they are imported dynamically. What several of them need is in the
 * first of those, or in the one that `holds` it. All modules of a file that is `whole` begin with it, which saves a
 * function around each, and compiling that twice; those of the others begin when they are asked for.
 */
const FILES = [
  // What every start needs.
  { name: 'cli.cjs', begins: /\/src\/cli\/start\.ts$/, holds: ['src/errors/secrets-error.ts'], whole: true },
  // What asking an engine needs, wherever it is.
  {
    name: 'cli-ask.cjs',
    begins:
      /\/src\/(resolve|secret|pattern|grammar|quote|wait|native\/\w+|config\/config|cli\/(open-engine|values|commands\/get))\.ts$/,
    holds: ['src/clock.ts', 'src/engine/explanation.ts', 'src/wait.ts'],
    whole: true,
  },
  // What the engine of a daemon needs.
  { name: 'cli-client.cjs', begins: /\/src\/(client\/find-daemon|engine\/default-engine)\.ts$/, whole: true },
  // What an engine in this process needs, and a store.
  {
    name: 'cli-store.cjs',
    begins: /\/src\/(client\/local-engine|cli\/(open-chosen-store|passphrase))\.ts$/,
    whole: true,
  },
  // What a person reads.
  { name: 'cli-report.cjs', begins: /\/src\/cli\/(help|report)\.ts$/, whole: true },
  { name: 'cli-run.cjs', begins: /\/src\/cli\/commands\/(run|env)\.ts$/ },
  // What changes and lists a store.
  { name: 'cli-keep.cjs', begins: /\/src\/cli\/commands\/(set|ls|rm|mv|cp|generate)\.ts$/ },
  // What a configuration with tables needs.
  { name: 'cli-tables.cjs', begins: /\/src\/config\/tables\.ts$/, whole: true },
  // What plugins in processes of their own need.
  { name: 'cli-plugins.cjs', begins: /\/src\/plugin-host\// },
  // All else.
  { name: 'cli-rest.cjs', begins: /\/src\/cli\/(commands\/|docker\/main)/ },
]

/**
 * Writes the files.
 * @param common - Options of esbuild for every bundle.
 * @param folder - Where the files go.
 * @param banner - The beginning of each file; the first one's has a line before it that names the interpreter.
 */
export async function bundleCli(common, folder, banner) {
  const asked = FILES.map(({ holds = [] }) => new Set(holds))
  const home = new Map()
  // What a file is asked for is known only when the others are made: all are made twice.
  for (const round of ['look', 'write']) {
    for (const [index, { name, whole }] of FILES.entries()) {
      const start = index === 0 ? "import './src/cli/start.ts'" : ''
      const offer = whole ? await offerAll(asked[index]) : offerLate(asked[index])
      const { metafile } = await build({
        ...common,
        outfile: join(folder, name),
        banner: { js: `${index === 0 ? '#!/usr/bin/env node\n' : ''}${banner}const own=exports;` },
        stdin: { contents: `${offer}${start}`, resolveDir: process.cwd(), sourcefile: `${name}.js` },
        write: round === 'write',
        metafile: true,
        plugins: [...(common.plugins ?? []), askOthers(index, home, asked, round)],
      })
      for (const input of Object.keys(metafile.inputs)) if (!home.has(input)) home.set(input, index)
    }
  }
}

/** Gives modules out by their names, as lists of what they export. */
async function offerAll(paths) {
  const rows = await Promise.all(
    [...paths].map(async (path, index) => {
      const members = (await namesOf(path)).map((name) => `m${index}.${name}`)
      return { head: `import * as m${index} from './${path}'\n`, row: `${JSON.stringify(path)}:()=>[${members}]` }
    }),
  )
  const heads = rows.map(({ head }) => head).join('')
  return `${heads}const modules={${rows.map(({ row }) => row)}}\nown.give=(name)=>modules[name]()\n`
}

/** The same, of modules that begin when they are asked for. */
function offerLate(paths) {
  const rows = [...paths].map((path) => `${JSON.stringify(path)}:()=>require(${JSON.stringify(`offered:${path}`)}).all`)
  return `const modules={${rows}}\nown.give=(name)=>modules[name]()\n`
}

/** Has a file ask the others for their modules. */
function askOthers(own, home, asked, round) {
  const whose = (path, kind) => {
    const begins = kind === 'dynamic-import' ? FILES.findIndex((file) => file.begins.test(path)) : -1
    return home.get(keyOf(path)) ?? (begins >= 0 ? begins : own)
  }
  return {
    name: 'asks the other files',
    setup({ onResolve, onLoad, resolve }) {
      onResolve({ filter: /^\.\/cli.*\.cjs$/ }, ({ path }) => ({ path, external: true }))
      onResolve({ filter: /^of:/ }, ({ path }) => ({ path: path.slice('of:'.length), namespace: 'of' }))
      onResolve({ filter: /^offered:/ }, ({ path }) => ({ path: path.slice('offered:'.length), namespace: 'offered' }))
      onResolve({ filter: /^\.\.?\// }, async ({ path, importer, namespace, resolveDir, kind, pluginData }) => {
        if (pluginData === askOthers || namespace === 'asked' || namespace === 'offered' || namespace === 'of')
          return undefined
        const found = await resolve(path, { importer, namespace, resolveDir, kind, pluginData: askOthers })
        if (found.errors.length > 0 || found.external) return undefined
        const other = whose(found.path, kind)
        const late = FILES[own].whole && kind === 'dynamic-import'
        if (other === own && !late) return undefined
        asked[other].add(keyOf(found.path))
        if (other === own && round === 'look') return undefined
        return {
          path: keyOf(found.path),
          namespace: 'asked',
          pluginData: other === own ? undefined : FILES[other].name,
        }
      })
      // Lists, by place: esbuild copies a CommonJS module member by member, for each that imports it.
      onLoad({ filter: /.*/, namespace: 'offered' }, async ({ path }) => {
        const names = await namesOf(path)
        const contents = `import {${names}} from ${JSON.stringify(`./${path}`)}\nexport const all=[${names}]`
        return { contents, resolveDir: process.cwd() }
      })
      onLoad({ filter: /.*/, namespace: 'asked' }, async ({ path, pluginData }) => {
        const names = await namesOf(path)
        const from = pluginData === undefined ? 'const give=own.give' : `import {give} from 'of:${pluginData}'`
        return { contents: `${from}\nconst [${names}]=give(${JSON.stringify(path)})\nexport {${names}}` }
      })
      onLoad({ filter: /.*/, namespace: 'of' }, ({ path }) => ({
        contents: `export const {give}=require('./${path}')`,
      }))
    },
  }
}

/** What a module exports. All of it is there when the module has begun, and none changes later. */
async function namesOf(path) {
  const { metafile } = await build({ entryPoints: [path], format: 'esm', write: false, metafile: true })
  return Object.values(metafile.outputs)[0].exports
}

function keyOf(path) {
  return relative(process.cwd(), path).replaceAll('\\', '/')
}
