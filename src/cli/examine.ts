/** The checks of `se doctor`. Each answers with a finding, whatever happens: a failure is what doctor is there to tell. */
import { describeOrigin, readConfig } from '../config/config.js'
import { OTHER_VARIABLES, SETTINGS, type SettingName } from '../config/settings.js'
import { SecretsError } from '../errors/secrets-error.js'
import { nearest } from '../nearest.js'
import type { StoreFacts } from './describe-store.js'
import { hintOf } from './hints.js'

/** A finding. */
export interface Check {
  /** What was looked at, such as `store`. */
  readonly name: string
  readonly status: 'ok' | 'warn' | 'fail'
  /** What was found, in one line. */
  readonly summary: string
  /** What to do, where something can be done. */
  readonly advice?: string
  /** The same for programs. */
  readonly facts: Readonly<Record<string, unknown>>
}

/** How long a daemon may take to say what it is. */
const LIMIT = { timeoutMs: 1000 }

/** Looks at everything. */
export async function examine(env: NodeJS.ProcessEnv): Promise<Check[]> {
  const checks = [nodeCheck(process.versions.node, env)]
  const others = {
    addon: addonCheck,
    memory: memoryCheck,
    configuration: configCheck,
    store: storeCheck,
    daemon: daemonCheck,
    plugins: pluginsCheck,
    'plugin folder': pluginFolderCheck,
  }
  for (const [name, check] of Object.entries(others)) {
    checks.push(...(await check(env).catch((error: unknown) => [failed(name, error)])))
  }
  return checks
}

function failed(name: string, error: unknown): Check {
  const known = SecretsError.is(error)
  const advice = known ? hintOf(error) : undefined
  return {
    name,
    status: 'fail',
    summary: known ? error.message : 'a fault of se itself',
    ...(advice === undefined ? {} : { advice }),
    facts: known ? { code: error.code, ...error.details } : {},
  }
}

/** Node's version, and a variable that makes Node 20 slow to start. */
export function nodeCheck(version: string, env: NodeJS.ProcessEnv): Check {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  const facts = { version, extraCaCerts: env['NODE_EXTRA_CA_CERTS'] !== undefined }
  if (major < 20 || (major === 20 && minor < 19)) {
    return {
      name: 'node',
      status: 'fail',
      summary: `Node ${version} is too old`,
      advice: 'install 20.19 or newer',
      facts,
    }
  }
  if (major < 22 && facts.extraCaCerts) {
    return {
      name: 'node',
      status: 'warn',
      summary: `Node ${version} reads the file of NODE_EXTRA_CA_CERTS at every start, which triples its time`,
      advice: 'use Node 22 or newer, or unset NODE_EXTRA_CA_CERTS for se',
      facts,
    }
  }
  return { name: 'node', status: 'ok', summary: `Node ${version}`, facts }
}

async function addonCheck(): Promise<Check[]> {
  const { native, platformName } = await import('../native/load.js')
  native()
  const platform = platformName()
  return [{ name: 'addon', status: 'ok', summary: `the native part for ${platform} is loaded`, facts: { platform } }]
}

async function memoryCheck(): Promise<Check[]> {
  const [{ native }, { unwrap }] = await Promise.all([import('../native/load.js'), import('../native/outcome.js')])
  const facts = { ...unwrap(native().memoryProtectionNow()) }
  const { locked, excludedFromCore, lockLimitBytes } = facts
  const limit = lockLimitBytes === undefined ? '' : ` (at most ${Math.floor(lockLimitBytes / 1024)} KiB)`
  const swap: Check = locked
    ? { name: 'memory', status: 'ok', summary: `values are kept out of swap${limit}`, facts }
    : {
        name: 'memory',
        status: 'warn',
        summary: 'values may be written to swap: the system does not let this process lock memory',
        advice: 'raise the limit (ulimit -l, LimitMEMLOCK=), or encrypt the swap',
        facts,
      }
  const core: Check = excludedFromCore
    ? { name: 'core dumps', status: 'ok', summary: 'values are left out of core dumps', facts: { excludedFromCore } }
    : {
        name: 'core dumps',
        status: 'warn',
        summary: 'values would be in a core dump of a program that uses the library',
        advice: 'turn core dumps off for such programs (ulimit -c 0); se itself makes none while it handles values',
        facts: { excludedFromCore },
      }
  return [swap, core]
}

async function configCheck(env: NodeJS.ProcessEnv): Promise<Check[]> {
  const config = await readConfig(env)
  const set = Object.entries(SETTINGS).flatMap(([name, { key }]) => {
    const setting = config[name as SettingName]
    return setting === undefined ? [] : [{ name: key, value: setting.value, from: describeOrigin(setting.origin) }]
  })
  const passphrase = env['SE_PASSPHRASE'] ? [{ name: 'passphrase', value: '[redacted]', from: 'SE_PASSPHRASE' }] : []
  const checks: Check[] = [
    {
      name: 'configuration',
      status: 'ok',
      summary: config.fileExists ? `read from ${config.file}` : `${config.file} is not there, which is fine`,
      facts: { file: config.file, fileExists: config.fileExists },
    },
    ...[...set, ...passphrase].map(
      ({ name, value, from }): Check => ({
        name: `setting ${name}`,
        status: 'ok',
        summary: `${value} (${from})`,
        facts: { value, from },
      }),
    ),
  ]
  const known = [...Object.values(SETTINGS).map(({ variable }) => variable as string), ...OTHER_VARIABLES]
  for (const name of Object.keys(env).filter((key) => /^SE_[A-Z_]+$/.test(key) && !known.includes(key))) {
    const meant = nearest(
      name.toLowerCase(),
      known.map((key) => key.toLowerCase()),
    )?.toUpperCase()
    if (meant === undefined) continue // another program's
    const advice = `did you mean ${meant}?`
    checks.push({
      name: 'variables',
      status: 'warn',
      summary: `${name} is not one of ours`,
      advice,
      facts: { name, meant },
    })
  }
  return checks
}

async function storeCheck(env: NodeJS.ProcessEnv): Promise<Check[]> {
  const { describeStore } = await import('./describe-store.js')
  const facts = await describeStore(undefined, env)
  const { kind, backend, location, encryption, chosen, locked } = facts
  const state = locked === true ? ', locked' : ''
  const summary = `${kind} (${backend}) at ${location}${state}; ${encryption}; chosen ${chosen}`
  const store = { name: 'store', summary, facts: { ...facts } }
  const advice = 'unlock it with the desktop’s password program; where nobody can be asked, nothing is read until then'
  const isUsable = locked !== true || kind === 'file'
  const checks: Check[] = [isUsable ? { ...store, status: 'ok' } : { ...store, status: 'warn', advice }]
  if (locked === true && kind === 'file') checks.push(await passphraseCheck(facts, env))
  if (!facts.survivesReboot) {
    checks.push({ name: 'store', status: 'warn', summary: 'its secrets are gone after a reboot', facts: {} })
  }
  return checks
}

/** Whether the passphrase that the key needs would be there, and is the right one. */
async function passphraseCheck({ location, identity = '' }: StoreFacts, env: NodeJS.ProcessEnv): Promise<Check> {
  const name = 'passphrase'
  const facts = { identity }
  const { configuredPassphrase, passphraseHandle, unwrapFrom } = await import('../store/passphrase.js')
  const { passphraseFile, timeoutMs } = await readConfig(env)
  const source = configuredPassphrase(passphraseFile?.value)
  if (source === undefined) {
    const { hasTerminal } = await import('./terminal.js')
    const summary = `the key in ${identity} needs a passphrase`
    if (hasTerminal()) return { name, status: 'ok', summary: `${summary}, which is asked for on the terminal`, facts }
    const advice = 'give it by SE_PASSPHRASE_FILE or by SE_PASSPHRASE'
    return { name, status: 'warn', summary: `${summary}, and there is none, and no terminal to ask on`, advice, facts }
  }
  const { native } = await import('../native/load.js')
  const { wait } = await import('../wait.js')
  try {
    const known = await passphraseHandle(source)
    try {
      const begin = async () => unwrapFrom(source, await native().checkStorePassphrase(location, identity, known))
      await wait({ what: 'trying the passphrase', begin }, { timeoutMs: timeoutMs?.value })
    } finally {
      known.dispose()
    }
  } catch (error) {
    return { ...failed(name, error), status: 'warn' }
  }
  return { name, status: 'ok', summary: `the one that is configured opens ${identity}`, facts }
}

/** Whether a daemon runs, which one, and whether this process would ask it. */
async function daemonCheck(env: NodeJS.ProcessEnv): Promise<Check[]> {
  const name = 'daemon'
  if (process.platform === 'win32') {
    return [{ name, status: 'ok', summary: 'there is none on Windows: each program asks by itself', facts: {} }]
  }
  const [{ findDaemon }, { dialledAddress }] = await Promise.all([
    import('../client/find-daemon.js'),
    import('../daemon/addresses.js'),
  ])
  const address = dialledAddress(env)
  const client = await findDaemon(env)
  if (client === undefined) return [await notAsked(address)]
  const { version, pid, storeKind, storeLocation, storeLocked } = await client.describe(LIMIT)
  await client.close()
  const facts = { address, runs: true, version, pid, storeKind, storeLocation, storeLocked, peer: 'you or root' }
  const store = `${storeKind || 'no store'}${storeLocation && ` ${storeLocation}`}`
  const state = storeLocked === undefined ? '' : storeLocked ? ', locked' : ', open'
  const summary = `${version} at ${address}, process ${pid}, run by you or root; ${store}${state}`
  if (storeLocked !== true) return [{ name, status: 'ok', summary, facts }]
  return [{ name, status: 'warn', summary, advice: 'se unlock opens it, for all programs', facts }]
}

/** Why the daemon's address is not asked: nobody listens there, or a daemon with another store. */
async function notAsked(address: string): Promise<Check> {
  const [{ native }, { unwrap }] = await Promise.all([import('../native/load.js'), import('../native/outcome.js')])
  const runs = unwrap(native().probeUnix(address, process.getuid?.() ?? 0)) === 'listening'
  if (!runs) {
    const summary = `none at ${address}: each program asks by itself`
    return { name: 'daemon', status: 'ok', summary, facts: { address, runs } }
  }
  return {
    name: 'daemon',
    status: 'warn',
    summary: `the one at ${address} has another store than SE_ variables name here, and is not asked`,
    advice: 'unset SE_STORE, SE_STORE_PATH, SE_IDENTITY and SE_CONFIG to ask it',
    facts: { address, runs },
  }
}

/** The plugins of the engine that would be asked. None is started. */
async function pluginsCheck(env: NodeJS.ProcessEnv): Promise<Check[]> {
  const [{ findDaemon }, { openLocalEngine }] = await Promise.all([
    import('../client/find-daemon.js'),
    import('../client/local-engine.js'),
  ])
  // What is wrong with the daemon is told already.
  const engine = (await findDaemon(env).catch(() => undefined)) ?? (await openLocalEngine(env))
  const plugins = await engine.listPlugins().finally(() => engine.close())
  return plugins.map(({ name, version, pattern, enabled, status, statusMessage }) => {
    const state = enabled ? status : 'disabled'
    const check = {
      name: `plugin ${name}`,
      summary: `${version} for ${pattern}, ${state}${statusMessage === undefined ? '' : `: ${statusMessage}`}`,
      facts: { version, pattern, enabled, status, statusMessage },
    }
    if (state !== 'crashed' && state !== 'retries exceeded') return { ...check, status: 'ok' }
    const advice = `se plugins logs ${name} shows what it wrote; se plugins enable ${name} starts it again`
    return { ...check, status: 'warn', advice }
  })
}

/** What is in the plugin folder and is no plugin. */
async function pluginFolderCheck(env: NodeJS.ProcessEnv): Promise<Check[]> {
  const [{ defaultPaths, pathBase }, { lookIntoFolder }] = await Promise.all([
    import('../config/paths.js'),
    import('../plugin-host/plugin-folder.js'),
  ])
  return lookIntoFolder(defaultPaths(pathBase(env)).pluginFolder).passedOver.map(({ path, reason, advice }) => {
    const summary = `no plugin is started from ${path}: ${reason}`
    return { name: 'plugin folder', status: 'warn', summary, advice, facts: { path, reason } }
  })
}
