// Long work in portions, so that others get their turn between them.

/** How many items are done without a pause: some milliseconds of work. */
export const PORTION = 1000

/** Resolves when everything else that is ready has had its turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** Does something with each item, in order. At once when they are few. */
export async function inPortions<T>(items: readonly T[], each: (item: T) => void): Promise<void> {
  let done = 0
  for (const item of items) {
    if (done > 0 && done % PORTION === 0) await turn()
    each(item)
    done++
  }
}

/** The items in order of their ids, by bytes; equal ones stay as they were. */
export async function byId<T extends { readonly id: string }>(items: readonly T[]): Promise<readonly T[]> {
  if (isSorted(items)) return items
  let runs: T[][] = []
  for (let from = 0; from < items.length; from += PORTION) {
    if (from > 0) await turn()
    runs.push(items.slice(from, from + PORTION).sort(compare))
  }
  while (runs.length > 1) {
    const merged: T[][] = []
    for (let n = 0; n < runs.length; n += 2) {
      await turn()
      merged.push(merge(runs[n] as T[], runs[n + 1] ?? []))
    }
    runs = merged
  }
  return runs[0] as T[]
}

function compare(a: { readonly id: string }, b: { readonly id: string }): number {
  return a.id < b.id ? -1 : a.id > b.id ? 1 : 0
}

function isSorted(items: readonly { readonly id: string }[]): boolean {
  for (let n = 1; n < items.length; n++) if (compare(items[n - 1] as never, items[n] as never) > 0) return false
  return true
}

function merge<T extends { readonly id: string }>(left: readonly T[], right: readonly T[]): T[] {
  const merged: T[] = []
  let l = 0
  let r = 0
  while (l < left.length && r < right.length) {
    merged.push(compare(left[l] as T, right[r] as T) <= 0 ? (left[l++] as T) : (right[r++] as T))
  }
  while (l < left.length) merged.push(left[l++] as T)
  while (r < right.length) merged.push(right[r++] as T)
  return merged
}
