/** `se get`: shows that a secret is there, or gives its value out. Asks the engine. */
import { resolve } from '../../resolve.js'
import { idArgument } from '../arguments.js'
import type { Command } from '../command.js'
import { jsonFlag, NO_DAEMON_FLAG } from '../flags.js'
import { openCliEngine } from '../open-engine.js'
import { writeJson, writeValue, writeValueFile } from '../values.js'

/** Shows a secret. */
export const command: Command = {
  name: 'get',
  summary: 'show a secret, or give its value out',
  usage: ['ID [--reveal] [--json] [--no-daemon]', 'ID --output FILE [--no-daemon]'],
  description: [
    'Without a flag the value stays hidden. --reveal prints it alone, byte for byte; a line end is added on a terminal only. ' +
      'It is read from every plugin of the engine: one answer is wanted, and several are refused by name.',
    'With --output a file is replaced; a link stays, and what it leads to is replaced; a pipe, a device, and what /dev/stdout ' +
      'and /dev/fd/N stand for, are written to.',
  ],
  flags: [
    { name: 'reveal', short: 'r', summary: 'print the value' },
    {
      name: 'output',
      short: 'o',
      value: 'FILE',
      complete: 'file',
      excludes: ['reveal', 'json'],
      summary: 'write the value to a file that only you may read (0600), whole or not at all',
    },
    jsonFlag(
      'id, plugin, version, metadata, createdAt, resolvedAt, expiresAt, bytes; with --reveal also value or valueBase64',
    ),
    NO_DAEMON_FLAG,
  ],
  positionals: [{ name: 'ID', complete: 'id' }],
  extraHint: 'it shows one secret; se run and se env take any number of references',
  examples: [
    { note: 'is it there?', command: 'se get postgres/prod/password' },
    { note: 'to the clipboard', command: 'se get postgres/prod/password --reveal | wl-copy' },
    { note: 'a key that a program reads from a file', command: 'se get deploy/key --output ~/.ssh/deploy' },
  ],
  async run(context) {
    const { flags, positionals, stdout } = context
    const id = await idArgument(positionals[0] ?? '')
    const { engine, timeoutMs } = await openCliEngine(context)
    const times = flags.has('json')
    using secret = await resolve(`se://${id}`, { engine, timeoutMs, times }).finally(() => engine.close())
    const output = flags.value('output')
    if (output !== undefined) await writeValueFile(output, secret)
    else if (flags.has('json')) await writeJson(stdout, secret, flags.has('reveal'))
    else if (flags.has('reveal')) await writeValue(stdout, secret)
    else stdout.write(`ID: ${secret.id}\nValue: **********\n`)
    return 0
  },
}
