// Groups: references that set one variable for each secret that they name. Here the secrets get their variables; what is
// wrong with a name is told for all of them at once.
import { createError, SecretsError } from '../errors/secrets-error.js'
import { parseReference } from '../reference.js'
import { groupName, nameFault } from './group-name.js'

/** A group as it is written. */
export interface Group {
  /** Which secrets. */
  readonly reference: string
  /** What stands before the names of its variables. */
  readonly prefix?: string | undefined
  /** Where it is written: `--env-from`, or a file and its line. */
  readonly source: string
}

/** What variables are set before the groups. */
export interface Given {
  /** Where a variable of this name is set, such as `the environment`; `undefined` when none is. */
  source(name: string): string | undefined
  /** Whether a variable of this name stays even where groups may replace others. */
  stays(name: string): boolean
  /** Whether groups may replace what is set. */
  readonly override: boolean
}

/** What is told from a secret to name its variable. */
interface Member {
  readonly id: string
  readonly plugin?: string | undefined
}

/** A variable that comes from a group. */
export interface GroupVariable<M> {
  readonly name: string
  readonly reference: string
  readonly secret: M
}

/** Something that is wrong with a group: with one of its variables, or with all of it. */
export interface GroupProblem {
  readonly name?: string
  readonly reference: string
  readonly error: SecretsError
}

/** The variables of groups. */
export interface GroupVariables<M> {
  readonly variables: readonly GroupVariable<M>[]
  readonly problems: readonly GroupProblem[]
}

/** On Windows the names of variables that differ in case are one. */
export const nameKey = (name: string): string => (process.platform === 'win32' ? name.toUpperCase() : name)

/**
 * Names the variables of groups, in the order of the groups and of their secrets. A secret that several groups give the
 * same name is one variable. A name that several secrets have, or that is given already and may not be replaced, is a
 * problem.
 * @param answersOf - The secrets of a group, and why others are not there.
 */
export function nameVariables<M extends Member>(
  groups: readonly Group[],
  answersOf: (group: Group) => readonly (M | SecretsError)[],
  given: Given,
): GroupVariables<M> {
  const claims = new Map<string, (GroupVariable<M> & { group: Group })[]>()
  const problems: GroupProblem[] = []
  for (const group of groups) {
    const { reference, prefix, source } = group
    for (const secret of answersOf(group)) {
      if (SecretsError.is(secret)) {
        problems.push({ reference, error: ofGroup(source, secret) })
        continue
      }
      const name = groupName(parseReference(reference).pattern.text, secret.id, prefix)
      if (given.override && given.stays(name)) continue
      const same = claims.get(nameKey(name)) ?? []
      if (!same.some((other) => other.secret.id === secret.id)) same.push({ name, reference, secret, group })
      claims.set(nameKey(name), same)
    }
  }
  const variables: GroupVariable<M>[] = []
  for (const [first, ...others] of claims.values()) {
    if (first === undefined) continue
    const { name, reference, secret, group } = first
    const error =
      (others.length > 0 ? collision([first, ...others]) : undefined) ??
      wrongName(name, secret.id) ??
      (given.override ? undefined : isGiven(name, given.source(name), secret.id, group))
    if (error === undefined) variables.push({ name, reference, secret })
    else problems.push({ name, reference, error })
  }
  return { variables, problems }
}

/** The variables of groups that name one secret, which are known without asking anybody, and what is wrong already. */
export function foreseeVariables(groups: readonly Group[], given: Given): GroupVariables<Member> {
  return nameVariables(
    groups,
    ({ reference }) => {
      try {
        const { id } = parseReference(reference)
        return id === undefined ? [] : [{ id }]
      } catch (error) {
        if (SecretsError.is(error)) return [error]
        throw error
      }
    },
    given,
  )
}

/** The names that a group makes, as far as that is known without asking anybody: `APP_*`, or the one. */
export function shownName({ reference, prefix = '' }: Group): string {
  const id = reference.slice('se://'.length)
  return id.includes('*') ? `${prefix}*` : groupName(id, id, prefix)
}

function ofGroup(source: string, { code, message, hint, details, cause }: SecretsError): SecretsError {
  return createError(code, `${source}: ${message}`, {
    hint: hint ?? (code === 'SE_NOT_FOUND' ? 'se ls lists the ids that there are' : undefined),
    details,
    cause,
  })
}

/** How many ids a message shows. */
const SHOWN = 5

function collision(claims: readonly { name: string; secret: Member }[]): SecretsError {
  const ids = claims.map(({ secret }) => secret.id)
  const name = claims[0]?.name as string
  const more = ids.length > SHOWN ? ` and ${ids.length - SHOWN} more` : ''
  return createError(
    'SE_INVALID_ENV',
    `${name} is the name of several secrets: ${ids.slice(0, SHOWN).join(', ')}${more}`,
    {
      hint: 'rename one, give the groups prefixes, or write a narrower pattern',
      details: { variable: name, ids },
    },
  )
}

function wrongName(name: string, id: string): SecretsError | undefined {
  const details = { variable: name, ids: [id] }
  switch (nameFault(name)) {
    case 'digit':
      return createError('SE_INVALID_ENV', `${name}, for ${id}, begins with a digit`, {
        hint: 'give the group a prefix, such as APP_',
        details,
      })
    case 'passphrase':
      return createError('SE_INVALID_ENV', `${name}, for ${id}: SE_*PASSPHRASE* variables cannot be set`, {
        hint: 'they never reach a command: give the group a prefix',
        details,
      })
    case 'file':
      return createError(
        'SE_UNSUPPORTED',
        `${name}, for ${id}, means a file with the secret in it, and groups make none`,
        {
          hint: 'rename the secret, or write a narrower pattern',
          details,
        },
      )
    default:
      return undefined
  }
}

function isGiven(
  name: string,
  source: string | undefined,
  id: string,
  { source: from }: Group,
): SecretsError | undefined {
  if (source === undefined) return undefined
  return createError('SE_INVALID_ENV', `${name} is set already (${source}), and ${id} has the same name (${from})`, {
    hint: 'give the group a prefix; `override: true` lets groups replace what is set',
    details: { variable: name, ids: [id] },
  })
}
