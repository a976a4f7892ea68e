// The names that a group gives its variables. The native launcher names them alike, which one file of vectors proves
// (__test__/vectors/group-names.json).

/** Whether a text may stand before the names of a group. */
export function isPrefix(text: string): boolean {
  return /^[A-Za-z_][A-Za-z0-9_]*$/.test(text)
}

/**
 * The name of the variable for a secret of a group: what the pattern leaves open of the id, in upper case, with `_` for
 * everything but letters and digits. Where nothing is left open, the last component of the id stands for it.
 * @param pattern - Of the group; it matches the id.
 * @param prefix - Stands before the name as it is.
 */
export function groupName(pattern: string, id: string, prefix = ''): string {
  const open = leftOpen(pattern.split('/'), id.split('/')).join('/')
  const named = open === '' ? id.slice(id.lastIndexOf('/') + 1) : open
  return prefix + named.toUpperCase().replace(/[^A-Z0-9_]/g, '_')
}

/** Why a variable of this name cannot come from a group: `digit` it begins with one; `file` it means a file; `passphrase` it is ours. */
export function nameFault(name: string): 'digit' | 'file' | 'passphrase' | undefined {
  if (/^[0-9]/.test(name)) return 'digit'
  if (/^SE_.*PASSPHRASE/i.test(name)) return 'passphrase'
  return name.endsWith('_FILE') ? 'file' : undefined
}

/**
 * The components of an id that the wildcards of a pattern match. Where the pattern fits in several ways, what it spells
 * out is found as early as possible: on a mismatch the last `**` takes one component more.
 */
function leftOpen(tokens: readonly string[], components: readonly string[]): string[] {
  const open: string[] = []
  let token = 0
  let at = 0
  let retry: { token: number; at: number; open: number } | undefined
  while (token < tokens.length || at < components.length) {
    const wanted = tokens[token]
    const component = components[at]
    if (wanted === '**') {
      token++
      retry = { token, at, open: open.length }
    } else if (component !== undefined && (wanted === '*' || wanted === component)) {
      if (wanted === '*') open.push(component)
      token++
      at++
    } else {
      const taken = components[retry?.at ?? components.length]
      if (retry === undefined || taken === undefined) throw new TypeError('the pattern does not match the id')
      open.length = retry.open
      open.push(taken)
      retry = { token: retry.token, at: retry.at + 1, open: open.length }
      token = retry.token
      at = retry.at
    }
  }
  return open
}
