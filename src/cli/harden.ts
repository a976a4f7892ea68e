/** Keeps a command that handles values away from other processes' eyes. */

/**
 * Keeps this process out of core dumps, and from debuggers. Without the native part no value can be read, and the command
 * itself says that it is missing.
 */
export async function harden(): Promise<void> {
  const process = await import('../native/process.js')
  try {
    process.harden()
  } catch {}
}
