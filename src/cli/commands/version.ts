/** `se version`. */

import { VERSION } from '../../version.js'
import type { Command } from '../command.js'

/** Shows the version. */
export const command: Command = {
  name: 'version',
  summary: 'show the version',
  usage: ['[--json]'],
  description: ['`se --version` is the same.'],
  flags: [{ name: 'json', summary: 'print {"version", "node", "platform", "arch"}' }],
  positionals: [],
  examples: [{ note: 'for a script', command: 'se version --json' }],
  storeless: true,
  async run({ flags, stdout }) {
    const facts = { version: VERSION, node: process.versions.node, platform: process.platform, arch: process.arch }
    stdout.write(flags.has('json') ? `${JSON.stringify(facts)}\n` : `se ${VERSION}\n`)
    return 0
  },
}
