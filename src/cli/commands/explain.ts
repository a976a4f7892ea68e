/** `se explain`: which plugins were asked for a reference, what came of it, and which answer wins. Shows no value. */
import type { Engine, ExplainOptions, Explanation, PluginOutcome } from '../../engine/engine.js'
import type { Command } from '../command.js'
import { jsonFlag, NO_DAEMON_FLAG, QUOTE_PATTERN } from '../flags.js'

const POLICIES = ['unique', 'first', 'newest'] as const

/** Explains a reference. */
export const command: Command = {
  name: 'explain',
  summary: 'show which plugins answer for a reference, and which answer wins',
  usage: ['REF [--policy unique|first|newest] [--json] [--no-daemon]'],
  description: [
    'Asks as se get and se run do, and shows for each plugin whether it was asked and why not, what came of it, the number ' +
      'of its answers, and how long it took; then what a reference would give. No value is shown, and with a daemon none ' +
      'leaves it. The exit status is 0 when nothing would be given, too.',
    'REF is a reference such as se://github/token, or what follows se://.',
  ],
  flags: [
    {
      name: 'policy',
      value: 'POLICY',
      choices: POLICIES,
      summary: 'which of several answers is meant: none of them (unique, the default), the first, or the newest',
    },
    jsonFlag(
      'pattern, engine, plugins: a list of plugin, pattern, status, ids, dropped, latencyMs, failure; secrets: a list of id, ' +
        'plugin, createdAt; chosen, problem',
    ),
    NO_DAEMON_FLAG,
  ],
  positionals: [{ name: 'REF', complete: 'id' }],
  extraHint: QUOTE_PATTERN,
  examples: [
    { note: 'where does it come from?', command: 'se explain se://github/token' },
    { note: 'who answers for these?', command: "se explain 'postgres/**'" },
    { note: 'for a script', command: 'se explain github/token --json | jq -r .chosen.plugin' },
  ],
  async run(context) {
    const { flags, positionals, stdout } = context
    const pattern = await patternOf(positionals[0] ?? '')
    const { openCliEngine } = await import('../open-engine.js')
    const { engine, timeoutMs } = await openCliEngine(context)
    const policy = POLICIES.find((name) => name === flags.value('policy'))
    const explanation = await explain(engine, pattern, { policy, timeoutMs }).finally(() => engine.close())
    const where = 'address' in engine ? `the daemon at ${engine.address}` : 'this process'
    if (flags.has('json')) stdout.write(`${JSON.stringify(json(explanation, where))}\n`)
    else stdout.write(await text(explanation, where))
    return 0
  },
}

/** The explanation, with the hint that `se get` would give. */
async function explain(engine: Engine, pattern: string, options: ExplainOptions): Promise<Explanation> {
  const { withHint } = await import('../../resolve.js')
  const explanation = await engine.explain(pattern, options)
  const problem = explanation.problem && (await withHint(explanation.problem, pattern, engine, options))
  return { ...explanation, problem }
}

/** What is asked for. A text that is no pattern is refused as a part of the reference that it would be in. */
async function patternOf(typed: string): Promise<string> {
  const { parseReference } = await import('../../reference.js')
  return parseReference(typed.startsWith('se://') ? typed : `se://${typed}`).pattern.text
}

function json({ pattern, outcomes, secrets, chosen, problem }: Explanation, engine: string): object {
  const plugins = outcomes.map(({ failure, ...facts }) => ({ ...facts, failure: failure?.toJSON() }))
  return { pattern, engine, plugins, secrets, chosen, problem: problem?.toJSON() }
}

async function text({ pattern, outcomes, chosen, problem }: Explanation, engine: string): Promise<string> {
  const [{ columns, printable }, { hintOf }] = await Promise.all([import('../columns.js'), import('../hints.js')])
  const lines = [columns([['PLUGIN', 'PATTERN', 'OUTCOME', 'ANSWERS', 'TIME'], ...outcomes.map(row)])]
  const say = (line: string): number => lines.push(`${printable(line)}\n`)
  for (const { plugin, dropped, failure } of outcomes) {
    if (failure !== undefined) say(named(plugin, failure.message))
    if (dropped.length > 0) say(`${plugin} answered what it was not asked, which was dropped: ${dropped.join(', ')}`)
  }
  if (chosen !== undefined) say(`se://${pattern} is ${chosen.id} of ${chosen.plugin}, says ${engine}`)
  else if (problem !== undefined) {
    const told = outcomes.some(({ failure }) => failure?.message === problem.message)
    say(`se://${pattern} gives nothing, says ${engine}${told ? '' : `: ${problem.message}`}`)
    const hint = hintOf(problem)
    if (hint !== undefined) say(`hint: ${hint}`)
  }
  return lines.join('')
}

/** What a plugin failed with. A message that is not ours begins with its name already. */
function named(plugin: string, message: string): string {
  return message.startsWith(`${plugin}: `) ? message : `${plugin}: ${message}`
}

function row({ plugin, pattern, status, ids, latencyMs }: PluginOutcome): string[] {
  const asked = !status.startsWith('not asked')
  return [plugin, pattern, status, asked ? String(ids.length) : '-', latencyMs === undefined ? '-' : time(latencyMs)]
}

function time(milliseconds: number): string {
  return milliseconds < 10 ? `${milliseconds.toFixed(1)} ms` : `${Math.round(milliseconds)} ms`
}
