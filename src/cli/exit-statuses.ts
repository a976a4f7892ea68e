/** What the exit statuses mean. */

/** Each status of `se`, with its meaning. The status of an error is in `errors/codes.ts`. */
export const EXIT_STATUSES: readonly (readonly [string, string])[] = [
  ['0', 'done'],
  ['1', 'failed'],
  ['2', 'wrong use of the command line or a wrong configuration'],
  ['3', 'not found; of se daemon status: it does not run'],
  ['4', 'locked or denied'],
  ['5', 'the store, the daemon or a plugin cannot be reached'],
  ['125', 'se run failed by itself, and nothing was started'],
  ['126', 'se run found the command, which cannot be executed'],
  ['127', 'se run did not find the command'],
]
