import test from 'ava'
import { parsePattern } from '../../src/pattern.js'
import { type AskOptions, askSession } from '../../src/plugin-host/ask-session.js'
import { Secret } from '../../src/secret.js'
import type { PluginSession } from '../../src/session/plugin-session.js'

/** A session that answers with these ids whatever it is asked, unless the pattern has answers of its own. */
function session(pattern: string, ids: readonly string[], own: Readonly<Record<string, string[]>> = {}) {
  const given: Secret[] = []
  const answer = async (wanted: string): Promise<Secret[]> => {
    const secrets = (own[wanted] ?? ids).map((id) => Secret.from(id, 'v'))
    given.push(...secrets)
    return secrets
  }
  return { given, session: { pattern: parsePattern(pattern), getSecrets: answer } as unknown as PluginSession }
}

const options: AskOptions = { limit: undefined, signal: new AbortController().signal, timeoutMs: 1000 }

test('a secret that several patterns match comes once, of the first of them', async (t) => {
  const { session: plugin, given } = session('**', [], { 'a/*': ['a/1', 'a/2'], '**': ['a/1', 'b'], 'a/1': ['a/1'] })
  const taken = await askSession(plugin, ['a/*', '**', 'a/1'].map(parsePattern), options)
  t.deepEqual(
    taken.map(({ id }) => id),
    ['a/1', 'a/2', 'b'],
  )
  t.deepEqual(
    given.map(({ disposed }) => disposed),
    [false, false, true, false, true],
  )
})

test('ids outside of what the plugin registered are counted, and told once', async (t) => {
  const { session: plugin } = session('a/**', ['a/1', 'b/1', 'b/2'])
  const told: number[] = []
  const limit = parsePattern('**')
  const taken = await askSession(plugin, [parsePattern('*/*')], { ...options, limit, onForeign: (n) => told.push(n) })
  t.deepEqual(
    taken.map(({ id }) => id),
    ['a/1'],
  )
  t.deepEqual(told, [2])
})
