// Quotes foreign text in messages, so that it can neither act on a terminal nor look like something else.

/** How many characters of a text are shown. */
const SHOWN = 80

/**
 * The text in double quotes for a message. Whatever is not plainly visible (control characters, line ends, marks that
 * change the direction, unusual spaces, lone surrogates) is written as an escape; of a long text 80 characters around
 * `at` are shown.
 */
export function quote(text: string, at = 0): string {
  let start = 0
  let end = text.length
  if (text.length > SHOWN) {
    start = Math.max(0, Math.min(at - SHOWN / 2, text.length - SHOWN))
    end = start + SHOWN
  }
  const visible = text.slice(start, end).replace(/["\\]|[^\P{C}\n]|[\p{Z}\n]|\p{M}/gu, (character) => {
    if (character === ' ') return character
    if (character === '"' || character === '\\') return `\\${character}`
    if (character === '\n') return '\\n'
    if (character === '\t') return '\\t'
    if (character === '\r') return '\\r'
    return `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`
  })
  return `${start > 0 ? '…' : ''}"${visible}"${end < text.length ? '…' : ''}`
}
