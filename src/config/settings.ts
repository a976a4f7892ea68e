/** The table of settings: one row a setting, its key in `config.toml` and its variable. */

/** How a setting's text is understood. */
export type SettingKind = 'store' | 'path' | 'milliseconds'

/** One row of the table. */
export interface SettingRow {
  /** The key in `config.toml`. */
  readonly key: string
  /** The environment variable, which wins over the file. */
  readonly variable: string
  readonly kind: SettingKind
  /** One line for documentation and `se doctor`. */
  readonly summary: string
}

/** The stores that can be chosen. */
export const STORE_KINDS = ['keychain', 'file'] as const

/** A store that can be chosen. */
export type StoreKind = (typeof STORE_KINDS)[number]

/** The longest time limit: a day. */
export const MAX_TIMEOUT_MS = 86_400_000

/** Every setting. */
export const SETTINGS = {
  store: { key: 'store', variable: 'SE_STORE', kind: 'store', summary: 'which store: keychain or file' },
  storePath: { key: 'store_path', variable: 'SE_STORE_PATH', kind: 'path', summary: 'the encrypted file' },
  identity: { key: 'identity', variable: 'SE_IDENTITY', kind: 'path', summary: 'the key of the encrypted file' },
  passphraseFile: {
    key: 'passphrase_file',
    variable: 'SE_PASSPHRASE_FILE',
    kind: 'path',
    summary: 'a file whose first line is the passphrase of the key',
  },
  timeoutMs: {
    key: 'timeout_ms',
    variable: 'SE_TIMEOUT_MS',
    kind: 'milliseconds',
    summary: 'how long a command may wait for a store each time, in milliseconds; no limit by default',
  },
} as const satisfies Record<string, SettingRow>

/** The name of a setting in code. */
export type SettingName = keyof typeof SETTINGS

/** Variables that are read elsewhere than from the table. */
export const OTHER_VARIABLES = ['SE_CONFIG', 'SE_PASSPHRASE', 'SE_SOCKET'] as const
