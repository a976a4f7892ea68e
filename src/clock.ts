// The clock that limits are counted by. Without imports: what begins quickly uses it too.

/** Milliseconds of a clock that never goes back. The global `performance` would load `node:perf_hooks`, in 1 ms. */
export function now(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1000 + nanoseconds / 1e6
}
