// Results as Markdown.

/** A table for each row of `measure`, with a mark where a goal is missed. */
export function tables(rows) {
  return rows
    .map(({ name, note, contenders }) =>
      [
        `### ${name}${note === undefined ? '' : ` (${note})`}`,
        '',
        '| | median | ratio | goal |',
        '| --- | ---: | ---: | ---: |',
        ...contenders.map(({ name: who, medianNs, ratio, goal }) => {
          const missed = goal !== undefined && ratio < goal ? ' missed' : ''
          return `| ${who} | ${duration(medianNs)} | ${number(ratio)}× | ${goal === undefined ? '' : `≥ ${goal}×${missed}`} |`
        }),
        '',
      ].join('\n'),
    )
    .join('\n')
}

function duration(ns) {
  if (ns < 1e3) return `${number(ns)} ns`
  if (ns < 1e6) return `${number(ns / 1e3)} µs`
  return `${number(ns / 1e6)} ms`
}

function number(value) {
  return value >= 100 ? String(Math.round(value)) : value.toPrecision(3)
}
