import {
  type Answer,
  definePlugin,
  type LocalEngine,
  type PatternResult,
  type Plugin,
  type PluginContext,
  type PluginDefinition,
  type PluginLogger,
  type Secret,
} from '../../src/index.js'

/** A plugin that answers with what matches. */
export function answering(
  name: string,
  pattern: string,
  answers: Answer[],
  more: Partial<PluginDefinition> = {},
): Plugin {
  const getSecrets: PluginDefinition['getSecrets'] = (asked) => answers.filter(({ id }) => asked.matches(id))
  return definePlugin({ name, version: 'v1.0.0', pattern, getSecrets, ...more })
}

/** A call to a {@link HeldPlugin}, which ends when the test says so. */
export interface HeldCall {
  readonly patterns: readonly string[]
  readonly context: PluginContext
  answer(answers: Answer[]): void
  fail(error: unknown): void
}

/** A plugin whose calls wait for the test. */
export class HeldPlugin {
  readonly calls: HeldCall[] = []
  readonly definition: PluginDefinition
  readonly plugin: Plugin
  #waiting: { count: number; resolve(): void }[] = []

  constructor(name: string, more: Partial<PluginDefinition> & { batch?: boolean } = {}) {
    const { batch, ...rest } = more
    this.definition = {
      name,
      version: 'v1.0.0',
      pattern: '**',
      getSecrets: (pattern, context) => this.#hold([pattern.text], context),
      ...(batch === true && {
        getMany: (patterns, context) =>
          this.#hold(
            patterns.map(({ text }) => text),
            context,
          ),
      }),
      ...rest,
    }
    this.plugin = definePlugin(this.definition)
  }

  /** Resolves when so many calls have begun. */
  async begun(count: number): Promise<HeldCall> {
    if (this.calls.length < count) await new Promise<void>((resolve) => this.#waiting.push({ count, resolve }))
    return this.calls[count - 1] as HeldCall
  }

  #hold(patterns: string[], context: PluginContext): Promise<Answer[]> {
    return new Promise((resolve, reject) => {
      this.calls.push({ patterns, context, answer: resolve, fail: reject })
      for (const { count, resolve: tell } of this.#waiting) if (this.calls.length >= count) tell()
    })
  }
}

/** What a caller got, to compare: `id plugin`. */
export function shown(secrets: readonly Secret[]): string[] {
  return secrets.map(({ id, plugin }) => `${id} ${plugin}`)
}

/** A log that is kept: `warn message {"plugin":"p"}`. */
export function keptLog(): { readonly lines: string[]; readonly log: PluginLogger } {
  const lines: string[] = []
  const write =
    (level: string) =>
    (message: string, facts = {}): void => {
      lines.push(`${level} ${message} ${JSON.stringify(facts)}`)
    }
  return { lines, log: { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') } }
}

/** Resolves when all that is ready has run. */
export function settled(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** A batch that is being asked. */
export interface Asking {
  readonly results: Promise<PatternResult[]>
  abandon(reason: unknown): void
}

/** Asks an engine as the daemon does. */
export function ask(engine: LocalEngine, patterns: readonly string[]): Asking {
  let abandon: Asking['abandon'] = () => {}
  const results = new Promise<PatternResult[]>((answered, failed) => {
    abandon = engine.ask(patterns, {}, { answered, failed })
  })
  return { results, abandon }
}
