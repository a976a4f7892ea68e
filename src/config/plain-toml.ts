/**
 * The part of TOML that `se store use` writes: comments, and keys with a plain string or a whole number. The parser for all
 * of TOML takes milliseconds to load, at every start.
 */

const NOTHING = /^[\t ]*(?:#[^\0-\x08\x0a-\x1f\x7f]*)?$/
const SETTING =
  /^[\t ]*([A-Za-z0-9_-]+)[\t ]*=[\t ]*(?:"([^"\\\0-\x1f\x7f]*)"|(0|[1-9][0-9]{0,14}))[\t ]*(?:#[^\0-\x08\x0a-\x1f\x7f]*)?$/

/** The table that the text holds; nothing when it holds more than the plain part, or is wrong. */
export function parsePlainToml(text: string): Record<string, unknown> | undefined {
  const table = new Map<string, unknown>()
  for (const line of text.split(/\r?\n/)) {
    if (NOTHING.test(line)) continue
    const [matched, key = '', string, number] = SETTING.exec(line) ?? []
    if (matched === undefined || table.has(key)) return undefined
    table.set(key, number === undefined ? string : Number(number))
  }
  return Object.fromEntries(table)
}
