/**
 * Write `se://postgres/prod/password` wherever a secret is wanted, and the value appears there, only there, when it is used.
 *
 * @packageDocumentation
 */
export { CODES, type CodeFacts, type ConnectCode, type ErrorClassName, type ErrorCode } from './errors/codes.js'
export {
  AccessError,
  CancelledError,
  DaemonError,
  type ErrorDetails,
  type ErrorFacts,
  InternalError,
  InvalidInputError,
  NotFoundError,
  PluginError,
  SecretsError,
  StoreError,
} from './errors/secrets-error.js'
export { Secret, type SecretFacts } from './secret.js'
export type { SecretSink } from './secret-sink.js'
export { openStore, type StoreOptions } from './store/open-store.js'
export type { Passphrase, PassphraseValue } from './store/passphrase.js'
export type {
  NewSecret,
  SecretInfo,
  SecretValue,
  Store,
  StoreDescription,
  WriteOptions,
} from './store/store.js'
export { VERSION } from './version.js'
export type { WaitOptions } from './wait.js'
