import { type ErrorCode, isErrorCode } from '../errors/codes.js'
import type { NativeStore } from '../native/store.js'

/** An operation of a store that can be made to fail or to wait. */
export type StoreOperation = 'get' | 'getMany' | 'list' | 'set' | 'delete' | 'rename' | 'describe'

const OPERATIONS: readonly StoreOperation[] = ['get', 'getMany', 'list', 'set', 'delete', 'rename', 'describe']

interface Hold {
  readonly released: Promise<void>
  readonly release: () => void
}

function newHold(): Hold {
  let release: () => void = () => undefined
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  return { released, release }
}

function checkOperation(operation: StoreOperation): void {
  if (OPERATIONS.includes(operation)) return
  throw new TypeError(`a store has no operation ${operation}; there are ${OPERATIONS.join(', ')}`)
}

/** Makes operations of a store fail or wait, for tests. */
export class Faults {
  readonly #failures = new Map<StoreOperation, { code: ErrorCode; times: number }>()
  readonly #holds = new Map<StoreOperation, Hold>()
  readonly #calls: StoreOperation[] = []

  /** The operations that were begun so far. */
  get calls(): readonly StoreOperation[] {
    return this.#calls
  }

  /** Lets the next operations of a kind fail with a code: so many, or all. */
  fail(operation: StoreOperation, code: ErrorCode, times = Number.POSITIVE_INFINITY): void {
    checkOperation(operation)
    if (!isErrorCode(code)) throw new TypeError(`there is no code ${code}`)
    this.#failures.set(operation, { code, times })
  }

  /**
   * Keeps operations of a kind waiting, as a prompt would, those that are begun later as well.
   * @returns a function that lets them go on.
   */
  hold(operation: StoreOperation): () => void {
    checkOperation(operation)
    if (!this.#holds.has(operation)) this.#holds.set(operation, newHold())
    return () => this.#release(operation)
  }

  /** Lets everything work again, and what is held go on. */
  clear(): void {
    this.#failures.clear()
    for (const operation of [...this.#holds.keys()]) this.#release(operation)
  }

  #release(operation: StoreOperation): void {
    this.#holds.get(operation)?.release()
    this.#holds.delete(operation)
  }

  /** @internal */
  async begin(
    operation: StoreOperation,
  ): Promise<{ error: { code: string; message: string; details: {} } } | undefined> {
    this.#calls.push(operation)
    await this.#holds.get(operation)?.released
    const failure = this.#failures.get(operation)
    if (failure === undefined || failure.times <= 0) return undefined
    failure.times -= 1
    return { error: { code: failure.code, message: `the test makes ${operation} fail`, details: {} } }
  }
}

/** A native store that does what another does, unless the faults say otherwise. */
export function faultyStore(store: NativeStore, faults: Faults): NativeStore {
  return {
    describe: async () => (await faults.begin('describe')) ?? store.describe(),
    get: async (id) => (await faults.begin('get')) ?? store.get(id),
    getMatching: async (pattern) => (await faults.begin('getMany')) ?? store.getMatching(pattern),
    getIds: async (ids) => (await faults.begin('getMany')) ?? store.getIds(ids),
    list: async (pattern, times) => (await faults.begin('list')) ?? store.list(pattern, times),
    // The values are copied before the first wait: the caller disposes them at once.
    setMany: async (ids, values, metadata, overwrite) => {
      const copies = values.map((value) => value.duplicate())
      const failure = await faults.begin('set')
      const handles = copies.flatMap(({ value }) => value ?? [])
      try {
        return failure ?? (await store.setMany(ids, handles, metadata, overwrite))
      } finally {
        for (const handle of handles) handle.dispose()
      }
    },
    delete: async (id) => (await faults.begin('delete')) ?? store.delete(id),
    rename: async (from, to, overwrite) => (await faults.begin('rename')) ?? store.rename(from, to, overwrite),
    providePassphrase: (passphrase) => store.providePassphrase(passphrase),
    forgetPassphrase: () => store.forgetPassphrase(),
    close: () => store.close(),
  }
}
