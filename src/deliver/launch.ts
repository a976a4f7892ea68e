// The environment of a command to be: the process's own, env files over it, single assignments over those; then every
// reference in it resolved. Values go from handle to handle and never become strings.
import type { Engine } from '../engine/engine.js'
import { createError, type SecretsError } from '../errors/secrets-error.js'
import { unwrap } from '../native/outcome.js'
import { captureLaunch, type Launch, launchError } from '../native/process.js'
import { readEnvFile } from './env-file.js'

/** What a command's environment is made of. */
export interface LaunchRequest {
  /** How many of the last elements of `process.argv` are the command. */
  readonly words: number
  /** Env files; later ones win over earlier ones, and all over the process's own environment. */
  readonly envFiles: readonly string[]
  /** Variables and their references, which win over everything else. */
  readonly assignments: readonly { readonly name: string; readonly reference: string }[]
  /** What is wrong with other assignments. */
  readonly problems: readonly SecretsError[]
}

/** A variable that will be resolved. */
export interface PlannedVariable {
  /** Its place in the environment. */
  readonly index: number
  readonly name: string
  readonly reference: string
  /** Where the reference is written: `the environment`, `-e`, or a file and its line. */
  readonly source: string
}

/** A command's environment before anything is resolved. */
export interface LaunchPlan {
  readonly launch: Launch
  readonly variables: readonly PlannedVariable[]
  /** What is wrong with the env files and the assignments. */
  readonly problems: readonly SecretsError[]
}

/** Reads everything that a command's environment is made of. Asks no store. */
export function planLaunch({ words, envFiles, assignments, problems: wrong }: LaunchRequest): LaunchPlan {
  const launch = captureLaunch(words)
  const sources = new Map<string, string>()
  const problems: SecretsError[] = []
  for (const path of envFiles) {
    const file = readEnvFile(path)
    problems.push(...file.problems)
    for (const { name, value, line } of file.variables) {
      launch.set(name, value)
      sources.set(name, `${path}:${line}`)
    }
  }
  problems.push(...wrong)
  for (const { name, reference } of assignments) {
    launch.set(name, reference)
    sources.set(name, '-e')
  }
  const variables = launch.references().map(({ index, name, text }) => ({
    index,
    name,
    reference: text,
    source: sources.get(name) ?? 'the environment',
  }))
  return { launch, variables, problems }
}

/** How a launch is resolved. */
export interface LaunchOptions {
  /**
   * Opens who answers, and says how long that may take. Called only when something is to be resolved. The engine is closed
   * then, so that no plugin of this process is left to the command.
   */
  readonly open: () => Promise<{ engine: Engine; timeoutMs: number | undefined }>
  /** Whether the failure of one plugin refuses what others answered. */
  readonly strict: boolean
  /** Is told of plugins that failed while others answered. */
  readonly onFailure: (failure: SecretsError) => void
}

/**
 * Resolves the variables of a plan in one batch and gives them to the launch. What resolves secrets is loaded only when
 * there is one.
 * @returns every problem, those of the env files and the assignments first. None: the launch is ready.
 */
export async function resolveLaunch(
  plan: LaunchPlan,
  { open, strict, onFailure }: LaunchOptions,
): Promise<SecretsError[]> {
  const { launch, variables } = plan
  const problems = [...plan.problems]
  if (variables.length > 0) {
    const { handleOf } = await import('../secret.js')
    const { deliverVariables } = await import('./variables.js')
    const opened = await open()
    const options = { ...opened, strict, onFailure }
    const unresolved = await deliverVariables(variables, options, ({ index }, secret) => {
      unwrap(launch.bind(index, handleOf(secret)))
    }).finally(() => opened.engine.close())
    problems.push(...unresolved.map(({ name, error }) => ofVariable(name, error)))
  }
  return [...problems, ...launch.problems().map(launchError)]
}

/**
 * Every problem of a plan that is known without asking a store. Those of the command itself are not among them: that is
 * {@link Launch.check}.
 */
export async function foreseeProblems({ launch, variables, problems }: LaunchPlan): Promise<SecretsError[]> {
  const { foreseeProblem } = await import('./variables.js')
  const wrong = variables.flatMap((variable) => {
    const error = foreseeProblem(variable)
    return error === undefined ? [] : [ofVariable(variable.name, error)]
  })
  return [...problems, ...wrong, ...launch.problems().map(launchError)]
}

function ofVariable(name: string, error: SecretsError): SecretsError {
  const { code, hint, details, cause } = error
  const message = error.message.startsWith(name) ? error.message : `${name}: ${error.message}`
  return createError(code, message, { hint, details: { ...details, variable: name }, cause })
}
