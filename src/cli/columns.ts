/** Tables for people. */

/** Control characters, which could move the cursor or change colours, become `?`. */
export function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, '?')
}

/** Rows as aligned columns, two spaces apart, without spaces at the ends of lines. */
export function columns(rows: readonly (readonly string[])[]): string {
  const clean = rows.map((row) => row.map(printable))
  const widths: number[] = []
  for (const row of clean) {
    row.forEach((cell, column) => {
      widths[column] = Math.max(widths[column] ?? 0, cell.length)
    })
  }
  const line = (row: readonly string[]): string =>
    `${row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()}\n`
  return clean.map(line).join('')
}
