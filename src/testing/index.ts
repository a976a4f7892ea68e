/**
 * For tests of programs that use secrets: stores and engines in memory, with failures on request, canaries, and checks of plugins.
 *
 * @packageDocumentation
 */
import { createEngine } from '../engine/create-engine.js'
import type { Engine } from '../engine/engine.js'
import { native } from '../native/load.js'
import { keychain } from '../plugins/keychain.js'
import { type SecretValue, Store } from '../store/store.js'
import { Faults, faultyStore } from './faulty-store.js'

export {
  type CheckResult,
  checkPlugin,
  type PluginCheckOptions,
  type PluginReport,
} from '../plugin-kit/check-plugin.js'
export { Canary } from './canary.js'
export { Faults, type StoreOperation } from './faulty-store.js'

/** A store in memory and what makes it fail. */
export interface TestStore {
  /** The store. Gone when it is closed. */
  readonly store: Store
  /** Makes its operations fail or wait. */
  readonly faults: Faults
}

/**
 * Makes a store in memory.
 * @param values - What it holds at first, by id.
 */
export async function createTestStore(values: Readonly<Record<string, SecretValue>> = {}): Promise<TestStore> {
  const faults = new Faults()
  const memory = native().openMemoryStore()
  await new Store(memory).setMany(Object.entries(values).map(([id, value]) => ({ id, value })))
  return { store: new Store(faultyStore(memory, faults)), faults }
}

/** An engine whose only plugin answers from a store in memory. */
export interface TestEngine extends TestStore {
  /** The engine, to pass to `resolve` and its like. */
  readonly engine: Engine
}

/**
 * Makes an engine in memory.
 * @param values - What its store holds at first, by id.
 */
export async function createTestEngine(values: Readonly<Record<string, SecretValue>> = {}): Promise<TestEngine> {
  const { store, faults } = await createTestStore(values)
  return { store, faults, engine: await createEngine({ plugins: [keychain({ store })] }) }
}
