// How much time a plugin has, whoever runs it.

/** Milliseconds for an answer of a plugin that has no limit of its own. */
export const PLUGIN_TIMEOUT_MS = 10_000

/** Milliseconds that a plugin has to end after it was asked to. The same as Docker's. */
export const PLUGIN_GRACE_MS = 2_000
