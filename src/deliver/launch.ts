// The environment of a command to be: the process's own, env files over it, single assignments over those; then every
// reference in it resolved, and the variables of groups added. Values go from handle to handle and never become strings.
import type { Engine } from '../engine/engine.js'
import { createError, type SecretsError } from '../errors/secrets-error.js'
import { unwrap } from '../native/outcome.js'
import {
  captureLaunch,
  type FileOptions,
  fileProblems,
  type Launch,
  launchError,
  sweepFiles,
} from '../native/process.js'
import type { Secret } from '../secret.js'
import { readEnvFile } from './env-file.js'
import { FILE_MODE, type FileFlag } from './file-flag.js'
import type { Given, Group } from './groups.js'

/** What a command's environment is made of. */
export interface LaunchRequest {
  /** How many of the last elements of `process.argv` are the command. */
  readonly words: number
  /** Env files; later ones win over earlier ones, and all over the process's own environment. */
  readonly envFiles: readonly string[]
  /** Variables and their references, which win over everything else. */
  readonly assignments: readonly { readonly name: string; readonly reference: string }[]
  /** Groups, beside those of the env files. */
  readonly groups: readonly Group[]
  /** Whether groups replace variables that are set, but for those of `assignments`. Otherwise that is a problem. */
  readonly override: boolean
  /** Files, whose variables win over everything else as well. Left out where there is no command to give a file to. */
  readonly files?: readonly FileFlag[]
  /** What is wrong with other assignments, groups and files. */
  readonly problems: readonly SecretsError[]
}

/** A variable that will be resolved. */
export interface PlannedVariable {
  /** Its place in the environment. */
  readonly index: number
  readonly name: string
  readonly reference: string
  /** Where the reference is written: `the environment`, `-e`, `--file`, or a file and its line. */
  readonly source: string
  /** Set for a variable that names a file with the secret in it. */
  readonly file?: FileOptions
}

/** A command's environment before anything is resolved. */
export interface LaunchPlan {
  readonly launch: Launch
  readonly variables: readonly PlannedVariable[]
  /** Groups, those of the env files first. */
  readonly groups: readonly Group[]
  /** What groups may, or may not, replace. */
  readonly given: Given
  /** What is wrong with the env files, the assignments, the groups and the flags of files. */
  readonly problems: readonly SecretsError[]
}

/** Reads everything that a command's environment is made of. Asks no store. */
export function planLaunch({ words, envFiles, assignments, problems: wrong, ...request }: LaunchRequest): LaunchPlan {
  const launch = captureLaunch(words)
  const sources = new Map<string, string>()
  const groups: Group[] = []
  const problems: SecretsError[] = []
  for (const path of envFiles) {
    const file = readEnvFile(path)
    problems.push(...file.problems)
    groups.push(...file.groups.map(({ line, ...group }) => ({ ...group, source: `${path}:${line}` })))
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
  const files = new Map(request.files?.map((file) => [file.name, file]))
  for (const { name, reference } of files.values()) {
    launch.set(name, reference)
    sources.set(name, '--file')
  }
  const variables = launch.references().map(({ index, name, text }) => {
    const source = sources.get(name) ?? 'the environment'
    const file = request.files && (files.get(name) ?? (name.endsWith('_FILE') ? { mode: FILE_MODE } : undefined))
    return { index, name, reference: text, source, ...(file !== undefined && { file }) }
  })
  const given: Given = {
    source: (name) => (launch.has(name) ? (sources.get(name) ?? 'the environment') : undefined),
    stays: (name) => launch.has(name) && (sources.get(name) === '-e' || files.has(name)),
    override: request.override,
  }
  return { launch, variables, groups: [...groups, ...request.groups], given, problems }
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
  /** Whether the values are to be masked in what the command writes. */
  readonly mask?: boolean
  /** Is told of plugins that failed while others answered. */
  readonly onFailure: (failure: SecretsError) => void
}

/**
 * Resolves the variables and groups of a plan in one batch and gives them to the launch. What resolves secrets is loaded only when
 * there is one.
 * @returns every problem, those of the env files and the assignments first. None: the launch is ready.
 */
export async function resolveLaunch(
  plan: LaunchPlan,
  { open, strict, mask = false, onFailure }: LaunchOptions,
): Promise<SecretsError[]> {
  const { launch, variables, groups } = plan
  const problems = [...plan.problems]
  if (variables.length > 0 || groups.length > 0) {
    const { handleOf } = await import('../secret.js')
    const { deliverVariables } = await import('./variables.js')
    const records = await recordsFor(variables)
    const ofFiles = problemsOfFiles(variables, records)
    problems.push(...[...ofFiles.values()].flat())
    const opened = await open()
    const options = { ...opened, strict, onFailure }
    const masked = (secret: Secret): void => {
      if (mask) unwrap(launch.mask(secret.id, handleOf(secret)))
    }
    const unresolved = await deliverVariables(plan, options, {
      bind: ({ index }, secret) => {
        unwrap(launch.bind(index, handleOf(secret)))
        masked(secret)
      },
      bindFile: (variable, file, secret) => {
        if (!ofFiles.has(variable)) unwrap(launch.bindFile(variable.index, handleOf(secret), file, records))
        masked(secret)
      },
      set: (name, secret) => {
        unwrap(launch.setValue(name, handleOf(secret)))
        masked(secret)
      },
    }).finally(() => opened.engine.close())
    problems.push(...unresolved.map(({ name, error }) => ofVariable(name, error)))
  }
  return [...problems, ...launch.problems().map(launchError)]
}

/**
 * Every problem of a plan that is known without asking a store. Those of the command itself are not among them: that is
 * {@link Launch.check}.
 */
export async function foreseeProblems({
  launch,
  variables,
  groups,
  given,
  problems,
}: LaunchPlan): Promise<SecretsError[]> {
  const { foreseeProblem } = await import('./variables.js')
  const wrong = variables.flatMap((variable) => {
    const error = foreseeProblem(variable)
    return error === undefined ? [] : [ofVariable(variable.name, error)]
  })
  const ofFiles = problemsOfFiles(variables, await recordsFor(variables))
  for (const errors of ofFiles.values()) wrong.push(...errors)
  const { foreseeVariables } = await import('./groups.js')
  const ofGroups = foreseeVariables(groups, given).problems.map(({ name, error }) => ofVariable(name, error))
  return [...problems, ...wrong, ...ofGroups, ...launch.problems().map(launchError)]
}

/** Where files are noted; empty where there are none, since finding out is work at each start. */
async function recordsFor(variables: readonly PlannedVariable[]): Promise<string> {
  if (variables.every(({ file }) => file === undefined)) return ''
  const { recordFolder } = await import('./file-records.js')
  return recordFolder()
}

/** What keeps files from being made, by the variables that name them: as far as it is known without their secrets. */
function problemsOfFiles(variables: readonly PlannedVariable[], records: string): Map<PlannedVariable, SecretsError[]> {
  const wrong = new Map<PlannedVariable, SecretsError[]>()
  // What a killed process left would be in the way.
  if (records !== '') sweepFiles(records)
  for (const variable of variables) {
    if (variable.file === undefined) continue
    const problems = fileProblems(variable.file).map((error) => ofVariable(variable.name, error))
    if (problems.length > 0) wrong.set(variable, problems)
  }
  return wrong
}

function ofVariable(name: string | undefined, error: SecretsError): SecretsError {
  if (name === undefined) return error
  const { code, hint, details, cause } = error
  const message = error.message.startsWith(name) ? error.message : `${name}: ${error.message}`
  return createError(code, message, { hint, details: { ...details, variable: name }, cause })
}
