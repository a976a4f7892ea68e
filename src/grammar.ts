// The grammar that ids and patterns share, and the errors of texts that do not follow it.
import { createError, type SecretsError } from './errors/secrets-error.js'
import { quote } from './quote.js'

/** The longest id or pattern, in characters (which are bytes: both are ASCII). */
export const MAX_LENGTH = 4096

/** What a reference begins with. */
export const SCHEME = 'se://'

/** What {@link firstWrong} can judge. */
export type Kind = 'id' | 'pattern'

const ALPHABET = 'A-Z a-z 0-9 . _ : -'

const KINDS = {
  id: {
    code: 'SE_INVALID_ID',
    name: 'an id',
    hint: `an id is made of components of ${ALPHABET} with "/" between them, such as team/db/password`,
  },
  pattern: {
    code: 'SE_INVALID_PATTERN',
    name: 'a pattern',
    hint: 'a wildcard is a whole component: * for exactly one, ** for any number, such as team/**',
  },
  reference: {
    code: 'SE_INVALID_REFERENCE',
    name: 'a reference',
    hint: `a reference is ${SCHEME} and an id or a pattern, such as ${SCHEME}team/db/password`,
  },
} as const

const SLASH = 0x2f
const STAR = 0x2a

// 1 for the characters of components: A-Z a-z 0-9 . _ : -
const IN_COMPONENT = new Uint8Array(128)
for (const character of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:-') {
  IN_COMPONENT[character.charCodeAt(0)] = 1
}

/**
 * Offset of the first character that keeps the text from being an id or a pattern, the text's length where it ends too
 * early, -1 when it is one. The native part judges alike (crates/pattern-matcher/src/grammar.rs).
 */
export function firstWrong(kind: Kind, text: string): number {
  // Characters and stars of the component so far.
  let length = 0
  let stars = 0
  const end = Math.min(text.length, MAX_LENGTH)
  for (let at = 0; at < end; at++) {
    const code = text.charCodeAt(at)
    if (code === SLASH && length > 0) {
      length = 0
      stars = 0
    } else if (code === STAR && kind === 'pattern' && length === stars && stars < 2) {
      length++
      stars++
    } else if (IN_COMPONENT[code] === 1 && stars === 0) {
      length++
    } else {
      return at
    }
  }
  if (text.length > MAX_LENGTH) return MAX_LENGTH
  return length === 0 ? text.length : -1
}

/**
 * The error for a text that is no id, pattern or reference: what is wrong where, and what to do. Its details are the
 * offset (`at`) and the length of the text, or the type of what is no text.
 */
export function invalidText(kind: 'id' | 'pattern' | 'reference', text: unknown): SecretsError {
  const { code, name, hint } = KINDS[kind]
  if (typeof text !== 'string') {
    const type = text === null ? 'null' : typeof text
    return createError(code, `not ${name}: expected a string, not ${type}`, { hint, details: { type } })
  }
  if (kind === 'reference' && !text.startsWith(SCHEME)) {
    // It may well be a value that was passed by mistake, so it is not repeated.
    return createError(code, `not ${name}: the text does not begin with "${SCHEME}"`, { hint, details: { at: 0 } })
  }
  const found = kind === 'reference' ? reference(text, hint) : describe(kind, text, firstWrong(kind, text))
  const facts = { hint: found.hint, details: { at: found.at, length: text.length } }
  return createError(code, `not ${name}: ${quote(text, found.at)} ${found.problem}`, facts)
}

interface Finding {
  at: number
  problem: string
  hint: string
}

function reference(text: string, hint: string): Finding {
  const rest = text.slice(SCHEME.length)
  if (rest === '') return { at: text.length, problem: 'names nothing', hint }
  return describe('pattern', rest, firstWrong('pattern', rest), SCHEME.length)
}

function describe(kind: Kind, text: string, wrong: number, before = 0): Finding {
  const at = wrong + before
  const { name, hint } = KINDS[kind]
  if (text === '') return { at, problem: 'is empty', hint }
  if (wrong === MAX_LENGTH) {
    return {
      at,
      problem: `is ${before + text.length} characters long`,
      hint: `${name} has at most ${MAX_LENGTH} characters`,
    }
  }
  if (before === 0 && text.startsWith(SCHEME)) {
    return {
      at,
      problem: `begins with "${SCHEME}"`,
      hint: `leave ${SCHEME} out: it belongs to a reference, not to ${name}`,
    }
  }
  if (wrong === text.length) return { at, problem: 'ends with "/"', hint: 'remove the "/" at the end' }
  if (text[wrong] === '/') {
    return {
      at,
      problem: `has an empty component at offset ${at}`,
      hint: 'components have one "/" between them, none around them',
    }
  }
  const problem = `has ${quote(String.fromCodePoint(text.codePointAt(wrong) as number))} at offset ${at}`
  if (text[wrong] === '\\') return { at, problem, hint: 'components are separated by "/"' }
  if (kind === 'id' && text[wrong] === '*') return { at, problem, hint: 'an id names one secret: it has no wildcards' }
  // A star where none may be, or something else than "/" behind one.
  if (text[wrong] === '*' || text[wrong - 1] === '*') return { at, problem, hint: KINDS.pattern.hint }
  return { at, problem, hint: `a component is made of ${ALPHABET}` }
}
