// The one table of error codes. A test holds it equal to the codes of the native part and to docs/errors.md.

/** Connect's name for a kind of failure, as it goes over the wire. */
export type ConnectCode =
  | 'invalid_argument'
  | 'not_found'
  | 'already_exists'
  | 'failed_precondition'
  | 'permission_denied'
  | 'unavailable'
  | 'unimplemented'
  | 'deadline_exceeded'
  | 'canceled'
  | 'resource_exhausted'
  | 'data_loss'
  | 'internal'

/** The codes that each class carries. */
export interface CodesByClass {
  /** What the caller gave is wrong. */
  InvalidInputError:
    | 'SE_INVALID_ID'
    | 'SE_INVALID_PATTERN'
    | 'SE_INVALID_REFERENCE'
    | 'SE_INVALID_OPTION'
    | 'SE_INVALID_CONFIG'
    | 'SE_INVALID_ENV'
    | 'SE_VALUE_TOO_LARGE'
    | 'SE_VALUE_HAS_NUL'
    | 'SE_NOT_TEXT'
    | 'SE_DISPOSED'
  /** What was asked for is not there. */
  NotFoundError: 'SE_NOT_FOUND' | 'SE_NO_PLUGIN' | 'SE_COMMAND_NOT_FOUND'
  /** It is there, and may not be read or used. */
  AccessError:
    | 'SE_COMMAND_NOT_EXECUTABLE'
    | 'SE_LOCKED'
    | 'SE_ACCESS_DENIED'
    | 'SE_PROMPT_DISMISSED'
    | 'SE_INTERACTION_REQUIRED'
    | 'SE_WRONG_KEY'
    | 'SE_LAX_MODE'
  /** A store, or the place that something was to be written to, failed. */
  StoreError:
    | 'SE_EXISTS'
    | 'SE_STORE_UNAVAILABLE'
    | 'SE_NO_COLLECTION'
    | 'SE_AMBIGUOUS'
    | 'SE_CORRUPT'
    | 'SE_UNSUPPORTED'
    | 'SE_STORE_FAILURE'
    | 'SE_OUTPUT_FAILURE'
  /** A plugin failed, or plugins disagree. */
  PluginError:
    | 'SE_PLUGIN_INVALID'
    | 'SE_PLUGIN_DUPLICATE'
    | 'SE_PLUGIN_FAILURE'
    | 'SE_PLUGIN_UNAVAILABLE'
    | 'SE_NOT_UNIQUE'
    | 'SE_UNRESOLVED'
  /** The daemon is not there, or cannot be used. */
  DaemonError:
    | 'SE_DAEMON_UNREACHABLE'
    | 'SE_DAEMON_RUNNING'
    | 'SE_DAEMON_INCOMPATIBLE'
    | 'SE_SOCKET_UNSAFE'
    | 'SE_LIMIT_EXCEEDED'
  /** The caller stopped waiting. */
  CancelledError: 'SE_ABORTED' | 'SE_TIMEOUT'
  /** A fault of this program or of its installation. */
  InternalError: 'SE_NATIVE_MISSING' | 'SE_INTERNAL'
}

/** The name of the class that carries a code. */
export type ErrorClassName = keyof CodesByClass

/** The stable code of an error. Callers branch on it; messages may be reworded at any time. */
export type ErrorCode = CodesByClass[ErrorClassName]

/** What is fixed about a code: its class, its form on the wire, the command line's exit status, and its meaning. */
export interface CodeFacts {
  /** The class of the error. */
  readonly class: ErrorClassName
  /** The code on the wire. */
  readonly connect: ConnectCode
  /** The exit status of the command line: 1 failed, 2 usage, 3 not found, 4 locked or denied, 5 unreachable. */
  readonly exit: 1 | 2 | 3 | 4 | 5
  /** What it means, in one sentence. */
  readonly meaning: string
}

function facts<C extends ErrorClassName>(
  name: C,
  connect: ConnectCode,
  exit: CodeFacts['exit'],
  meaning: string,
): CodeFacts & { readonly class: C } {
  return { class: name, connect, exit, meaning }
}

// Holds each code to the class that `CodesByClass` gives it.
type Table = { readonly [C in ErrorClassName as CodesByClass[C]]: CodeFacts & { readonly class: C } }

const TABLE: Table = {
  SE_INVALID_ID: facts('InvalidInputError', 'invalid_argument', 2, 'The text is not an id.'),
  SE_INVALID_PATTERN: facts('InvalidInputError', 'invalid_argument', 2, 'The text is not a pattern.'),
  SE_INVALID_REFERENCE: facts('InvalidInputError', 'invalid_argument', 2, 'The text is not a reference.'),
  SE_INVALID_OPTION: facts(
    'InvalidInputError',
    'invalid_argument',
    2,
    'An option has a wrong value, or two contradict each other.',
  ),
  SE_INVALID_CONFIG: facts('InvalidInputError', 'invalid_argument', 2, 'A configuration file or variable is wrong.'),
  SE_INVALID_ENV: facts(
    'InvalidInputError',
    'invalid_argument',
    2,
    'An env file, or the name of a variable, cannot be used.',
  ),
  SE_VALUE_TOO_LARGE: facts(
    'InvalidInputError',
    'resource_exhausted',
    1,
    'A value, or the metadata beside it, is longer than its place can hold.',
  ),
  SE_VALUE_HAS_NUL: facts(
    'InvalidInputError',
    'failed_precondition',
    1,
    'The value holds a zero byte, which a variable cannot carry.',
  ),
  SE_NOT_TEXT: facts(
    'InvalidInputError',
    'failed_precondition',
    1,
    'The value is not UTF-8 text, and text was asked for.',
  ),
  SE_DISPOSED: facts(
    'InvalidInputError',
    'failed_precondition',
    1,
    'The secret, store or engine was disposed or closed before.',
  ),
  SE_NOT_FOUND: facts('NotFoundError', 'not_found', 3, 'No secret has the id, or none matches the reference.'),
  SE_NO_PLUGIN: facts('NotFoundError', 'not_found', 3, 'No enabled plugin has the name, or answers for the reference.'),
  SE_COMMAND_NOT_FOUND: facts('NotFoundError', 'not_found', 3, 'The command to run does not exist.'),
  SE_COMMAND_NOT_EXECUTABLE: facts('AccessError', 'failed_precondition', 4, 'The command to run cannot be executed.'),
  SE_LOCKED: facts('AccessError', 'failed_precondition', 4, 'The store is locked and could not be unlocked here.'),
  SE_ACCESS_DENIED: facts('AccessError', 'permission_denied', 4, 'The system, or a policy, refused access.'),
  SE_PROMPT_DISMISSED: facts('AccessError', 'permission_denied', 4, 'A person was asked and dismissed the prompt.'),
  SE_INTERACTION_REQUIRED: facts(
    'AccessError',
    'failed_precondition',
    4,
    'A person must be asked, and that was not allowed or is not possible here.',
  ),
  SE_WRONG_KEY: facts('AccessError', 'permission_denied', 4, 'The passphrase or key does not open the store.'),
  SE_LAX_MODE: facts(
    'AccessError',
    'failed_precondition',
    4,
    'A file that holds secrets or keys may be read or written by others, or one that names programs may be written by them.',
  ),
  SE_EXISTS: facts(
    'StoreError',
    'already_exists',
    1,
    'Something is stored under the id already, and replacing it was not asked for.',
  ),
  SE_STORE_UNAVAILABLE: facts('StoreError', 'unavailable', 5, 'The store is not there or does not answer.'),
  SE_NO_COLLECTION: facts(
    'StoreError',
    'unavailable',
    5,
    'The keychain service runs, but has no collection to keep secrets in.',
  ),
  SE_AMBIGUOUS: facts('StoreError', 'failed_precondition', 1, 'Several items in one store claim the same id.'),
  SE_CORRUPT: facts(
    'StoreError',
    'data_loss',
    1,
    'What is stored cannot be understood: truncated, altered, or malformed.',
  ),
  SE_UNSUPPORTED: facts('StoreError', 'unimplemented', 1, 'What was asked cannot be done, here or at all.'),
  SE_STORE_FAILURE: facts('StoreError', 'internal', 1, 'The store failed in a way that no other code describes.'),
  SE_OUTPUT_FAILURE: facts('StoreError', 'internal', 1, 'What was asked for could not be written out.'),
  SE_PLUGIN_INVALID: facts('PluginError', 'invalid_argument', 1, 'The definition of a plugin is wrong.'),
  SE_PLUGIN_DUPLICATE: facts('PluginError', 'already_exists', 1, 'Two plugins have the same name.'),
  SE_PLUGIN_FAILURE: facts('PluginError', 'internal', 1, 'A plugin failed in a way that no other code describes.'),
  SE_PLUGIN_UNAVAILABLE: facts(
    'PluginError',
    'unavailable',
    5,
    'The plugin does not run: it crashed, left, or could not be started.',
  ),
  SE_NOT_UNIQUE: facts(
    'PluginError',
    'failed_precondition',
    1,
    'A reference that must name one secret has several answers.',
  ),
  SE_UNRESOLVED: facts(
    'PluginError',
    'failed_precondition',
    1,
    'Some variables hold references that cannot be resolved.',
  ),
  SE_DAEMON_UNREACHABLE: facts('DaemonError', 'unavailable', 5, 'No daemon answers on the socket.'),
  SE_DAEMON_RUNNING: facts('DaemonError', 'already_exists', 1, 'A daemon runs on the socket already.'),
  SE_DAEMON_INCOMPATIBLE: facts('DaemonError', 'failed_precondition', 5, 'The daemon speaks another version.'),
  SE_SOCKET_UNSAFE: facts(
    'DaemonError',
    'permission_denied',
    4,
    'The socket, or its folder, belongs to somebody else.',
  ),
  SE_LIMIT_EXCEEDED: facts(
    'DaemonError',
    'resource_exhausted',
    1,
    'A limit of the daemon: too many at once, or a request or an answer that is too large, or comes too slowly.',
  ),
  SE_ABORTED: facts('CancelledError', 'canceled', 1, 'The caller stopped waiting.'),
  SE_TIMEOUT: facts('CancelledError', 'deadline_exceeded', 1, 'The answer did not come in time.'),
  SE_NATIVE_MISSING: facts('InternalError', 'internal', 1, 'The native part could not be loaded.'),
  SE_INTERNAL: facts('InternalError', 'internal', 1, 'A fault of this program.'),
}

/** Every code with its facts. A code is never reused or given a new meaning. */
export const CODES: Readonly<Record<ErrorCode, CodeFacts>> = TABLE

/** Whether a text is one of the codes. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(CODES, text)
}
