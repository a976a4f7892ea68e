/** Flags that several commands share. */
import { STORE_KINDS } from '../config/settings.js'
import type { Flag } from './command.js'

/** Which store a command acts on, instead of the configured one. */
export const STORE_FLAG: Flag = {
  name: 'store',
  value: 'STORE',
  choices: STORE_KINDS,
  summary: 'act on this store, instead of the chosen one: keychain or file',
}

/** Who resolves. */
export const NO_DAEMON_FLAG: Flag = {
  name: 'no-daemon',
  summary: 'ask the store and the plugins from this process, though a daemon runs',
}

/** Facts beside a value. */
export const METADATA_FLAG: Flag = {
  name: 'metadata',
  short: 'm',
  value: 'KEY=VALUE',
  repeat: true,
  summary: 'keep a fact beside the value; it is not secret',
}

/** How many lines of a log are shown unless told otherwise. */
export const LOG_LINES = 50

/** How much of a log is shown. */
export const LOG_FLAGS: readonly Flag[] = [
  {
    name: 'lines',
    short: 'n',
    value: 'COUNT',
    integer: { min: 0, max: 1_000_000 },
    summary: `how many of the last lines; ${LOG_LINES} by default`,
  },
  { name: 'follow', summary: 'go on with what is written from now on, until Ctrl-C' },
]

/** What is said to several arguments where a pattern is wanted. */
export const QUOTE_PATTERN = 'put quotes around a pattern: the shell replaces it by the files that it matches'

/** A flag that replaces what is there. */
export function forceFlag(summary: string): Flag {
  return { name: 'force', short: 'f', summary }
}

/** A flag that prints JSON of this shape. */
export function jsonFlag(shape: string): Flag {
  return { name: 'json', summary: `print JSON: ${shape}` }
}
