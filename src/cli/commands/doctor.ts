/** `se doctor`: what works, what does not, and what to do. Changes nothing, asks for nothing and shows no value. */
import type { Command } from '../command.js'
import { jsonFlag } from '../flags.js'

/** Checks the installation. */
export const command: Command = {
  name: 'doctor',
  summary: 'check what works, and say what to do',
  usage: ['[--json]'],
  description: [
    'Looks at Node, the native part, the protection of memory, the configuration, with where each setting ' +
      'came from, the store, the daemon and the plugins. A passphrase that is configured is tried. Each finding is ok, warn or fail; the exit status is 1 when one failed.',
  ],
  flags: [jsonFlag('ok, checks: a list of name, status, summary, advice, facts')],
  positionals: [],
  examples: [
    { note: 'what fails, for a script', command: `se doctor --json | jq '.checks[] | select(.status == "fail")'` },
  ],
  async run({ flags, stdout, env }) {
    const { examine } = await import('../examine.js')
    const checks = await examine(env)
    const failed = checks.some(({ status }) => status === 'fail')
    if (flags.has('json')) stdout.write(`${JSON.stringify({ ok: !failed, checks })}\n`)
    else {
      const { printable } = await import('../columns.js')
      const colours = { ok: '\u001b[32m', warn: '\u001b[33m', fail: '\u001b[31m' }
      for (const { name, status, summary, advice } of checks) {
        const mark = stdout.hasColour ? `${colours[status]}${status.padEnd(4)}\u001b[39m` : status.padEnd(4)
        stdout.write(`${mark}  ${name}: ${printable(summary)}\n`)
        if (advice !== undefined) stdout.write(`      ${printable(advice)}\n`)
      }
    }
    return failed ? 1 : 0
  },
}
