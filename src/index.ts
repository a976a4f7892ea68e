/**
 * Write `se://postgres/prod/password` wherever a secret is wanted, and the value appears there, only there, when it is used.
 *
 * @packageDocumentation
 */
export type { DaemonDescription } from './client/answers.js'
export type { Client } from './client/client.js'
export { type ConnectOptions, connect } from './client/connect.js'
export { type Daemon, type ServeOptions, serve } from './daemon/serve.js'
export type { UnmaskedSecret } from './deliver/mask.js'
export { type RedactOptions, redact } from './deliver/redact.js'
export type { AccessContext, Authorize } from './engine/access.js'
export { createEngine, type EngineOptions } from './engine/create-engine.js'
export type {
  AskOptions,
  Engine,
  ExplainedSecret,
  ExplainOptions,
  Explanation,
  LocalEngine,
  OutcomeStatus,
  PatternResult,
  PluginInfo,
  PluginKind,
  PluginOutcome,
  PluginStatus,
  RequestOptions,
  Settled,
} from './engine/engine.js'
export type { Policy } from './engine/pick.js'
export {
  type Answer,
  type AnswerFacts,
  type Answers,
  definePlugin,
  type LogFacts,
  type Plugin,
  type PluginContext,
  type PluginDefinition,
  type PluginLogger,
  type PluginState,
  type Requester,
} from './engine/plugin.js'
export {
  CODES,
  type CodeFacts,
  type CodesByClass,
  type ConnectCode,
  type ErrorClassName,
  type ErrorCode,
} from './errors/codes.js'
export {
  AccessError,
  CancelledError,
  DaemonError,
  type ErrorDetails,
  type ErrorFacts,
  type ErrorJson,
  InternalError,
  InvalidInputError,
  NotFoundError,
  PluginError,
  SecretsError,
  StoreError,
} from './errors/secrets-error.js'
export { isId, parseId } from './id.js'
export { IdIndex } from './id-index.js'
export { Pattern, parsePattern } from './pattern.js'
export { PatternSet } from './pattern-set.js'
export { type KeychainOptions, keychain, type OpenStore } from './plugins/keychain.js'
export { isReference, parseReference, type Reference } from './reference.js'
export { type Resolution, type ResolveOptions, resolve, resolveAll, resolveEach } from './resolve.js'
export { type ResolveEnvOptions, resolveEnv } from './resolve-env.js'
export { Secret, type SecretFacts } from './secret.js'
export type { SecretSink } from './secret-sink.js'
export { type RunPluginOptions, runPlugin } from './session/run-plugin.js'
export { openStore, type StoreOptions } from './store/open-store.js'
export type { Passphrase, PassphraseAsker, PassphraseSource, PassphraseValue } from './store/passphrase.js'
export type {
  ListOptions,
  NewSecret,
  SecretInfo,
  SecretValue,
  Store,
  StoreDescription,
  WriteOptions,
} from './store/store.js'
export { VERSION } from './version.js'
export type { WaitOptions } from './wait.js'
