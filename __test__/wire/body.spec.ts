import { create, fromBinary, fromJsonString, toBinary, toJsonString } from '@bufbuild/protobuf'
import { timestampDate, timestampFromDate } from '@bufbuild/protobuf/wkt'
import test from 'ava'
import fc from 'fast-check'
import { GetSecretsResponseSchema } from '../../src/gen/resolver/v1/resolver_pb.js'
import { Secret, type SecretFacts } from '../../src/index.js'
import { native } from '../../src/native/load.js'
import { handleOf } from '../../src/secret.js'
import { decodeSecrets, encodeSecrets } from '../../src/wire/body.js'

const FORMS = ['json', 'proto'] as const
const UNKNOWN = Date.parse('0001-01-01T00:00:00Z')

function encode(form: (typeof FORMS)[number], secrets: readonly Secret[]): Buffer {
  const body = encodeSecrets(form, secrets)
  const copy = Buffer.from(body.bytes)
  body.release()
  return copy
}

const sample = Secret.from('pg/prod', 'hunter2', {
  plugin: 'vault',
  version: '3',
  metadata: { owner: 'ops', ünïcode: '"\\\u0000\u{1f600}' },
  createdAt: new Date('2026-01-01T00:00:00Z'),
  resolvedAt: new Date('2026-01-01T00:00:00.125Z'),
})

test('an answer in JSON is as the wire reference has it', (t) => {
  t.deepEqual(JSON.parse(encode('json', [sample]).toString()), {
    envelopes: [
      {
        id: 'pg/prod',
        value: 'aHVudGVyMg==',
        provider: 'vault',
        version: '3',
        createdAt: '2026-01-01T00:00:00.000Z',
        resolvedAt: '2026-01-01T00:00:00.125Z',
        expiresAt: '0001-01-01T00:00:00Z',
        metadata: { owner: 'ops', ünïcode: '"\\\u0000\u{1f600}' },
      },
    ],
  })
  t.is(encode('json', []).toString(), '{"envelopes":[]}')
  t.is(encode('proto', []).length, 0)
})

test('facts that are not known are written as the year 1 and as empty texts, and read as undefined', (t) => {
  for (const form of FORMS) {
    const [read] = decodeSecrets(form, encode(form, [Secret.from('a', '')])) as [Secret]
    for (const fact of ['plugin', 'version', 'createdAt', 'resolvedAt', 'expiresAt'] as const) {
      t.is(read[fact], undefined, fact)
    }
    t.deepEqual(read.metadata, {})
    t.is(read.byteLength, 0)
  }
})

test('times that protobuf cannot hold are written as not known', (t) => {
  const times = [new Date(Number.NaN), new Date(8.64e15), new Date(-8.64e15), new Date(UNKNOWN - 1)]
  for (const form of FORMS) {
    for (const createdAt of times) {
      const [read] = decodeSecrets(form, encode(form, [Secret.from('a', 'b', { createdAt })])) as [Secret]
      t.is(read.createdAt, undefined)
    }
  }
})

const text = fc.string({ unit: 'binary', maxLength: 20 })
const name = text.filter((key) => key !== '__proto__')
const time = fc.option(
  fc.date({ min: new Date(UNKNOWN + 1000), max: new Date(253402300799999), noInvalidDate: true }),
  {
    nil: undefined,
  },
)
const facts: fc.Arbitrary<SecretFacts> = fc.record({
  plugin: fc.option(fc.string({ unit: 'binary', minLength: 1, maxLength: 9 }), { nil: undefined }),
  version: fc.option(fc.string({ unit: 'binary', minLength: 1, maxLength: 9 }), { nil: undefined }),
  metadata: fc.dictionary(name, text, { maxKeys: 4, noNullPrototype: true }),
  createdAt: time,
  resolvedAt: time,
  expiresAt: time,
})
const secrets = fc.array(fc.tuple(text, fc.uint8Array({ maxLength: 300 }), facts), { maxLength: 5 })

function plain(secret: Secret) {
  const { id, plugin, version, metadata, createdAt, resolvedAt, expiresAt } = secret
  return { id, plugin, version, metadata, createdAt, resolvedAt, expiresAt, value: Buffer.from(secret.bytes()) }
}

test('whatever is written, protobuf-es reads the same, and so do we', (t) => {
  const date = (wire: Parameters<typeof timestampDate>[0] | undefined) => {
    const milliseconds = wire === undefined ? UNKNOWN : timestampDate(wire).getTime()
    return milliseconds === UNKNOWN ? undefined : new Date(milliseconds)
  }
  fc.assert(
    fc.property(secrets, (samples) => {
      const made = samples.map(([id, value, more]) => Secret.from(id, value, more))
      const expected = made.map(plain)
      for (const form of FORMS) {
        const body = encode(form, made)
        const { envelopes } =
          form === 'proto'
            ? fromBinary(GetSecretsResponseSchema, body)
            : fromJsonString(GetSecretsResponseSchema, body.toString())
        t.deepEqual(
          envelopes.map((one) => ({
            id: one.id,
            plugin: one.provider || undefined,
            version: one.version || undefined,
            metadata: one.metadata,
            createdAt: date(one.createdAt),
            resolvedAt: date(one.resolvedAt),
            expiresAt: date(one.expiresAt),
            value: Buffer.from(one.value),
          })),
          expected,
        )
        t.deepEqual(decodeSecrets(form, body).map(plain), expected)
      }
    }),
    { numRuns: 200 },
  )
})

test('whatever protobuf-es writes is read', (t) => {
  fc.assert(
    fc.property(secrets, (samples) => {
      const message = create(GetSecretsResponseSchema, {
        envelopes: samples.map(([id, value, more]) => ({
          id,
          value,
          ...(more.plugin === undefined ? {} : { provider: more.plugin }),
          metadata: more.metadata ?? {},
          ...(more.createdAt ? { createdAt: timestampFromDate(more.createdAt) } : {}),
        })),
      })
      const bodies = {
        json: Buffer.from(toJsonString(GetSecretsResponseSchema, message)),
        proto: Buffer.from(toBinary(GetSecretsResponseSchema, message)),
      }
      for (const form of FORMS) {
        t.deepEqual(
          decodeSecrets(form, bodies[form]).map(plain),
          samples.map(([id, value, { plugin, metadata, createdAt }]) =>
            plain(Secret.from(id, value, { plugin, metadata, createdAt })),
          ),
        )
      }
    }),
    { numRuns: 200 },
  )
})

test('metadata called __proto__ is an entry like any other', (t) => {
  const body = Buffer.from('{"envelopes":[{"id":"a","metadata":{"__proto__":"x"}}]}')
  const [secret] = decodeSecrets('json', body) as [Secret]
  t.deepEqual(Object.entries(secret.metadata), [['__proto__', 'x']])
  for (const form of FORMS) {
    const [again] = decodeSecrets(form, encode(form, [secret])) as [Secret]
    t.deepEqual(Object.entries(again.metadata), [['__proto__', 'x']])
  }
})

test('a body is wiped when it was read, and when it cannot be', (t) => {
  for (const form of FORMS) {
    const good = encode(form, [sample])
    decodeSecrets(form, good)
    t.true(good.every((byte) => byte === 0))
    const bad = Buffer.from('hunter2')
    const error = t.throws(() => decodeSecrets(form, bad), { code: 'SE_CORRUPT' })
    t.false(JSON.stringify(error).includes('hunter2'))
    t.true(bad.every((byte) => byte === 0))
  }
})

test('more secrets than the limit are refused', (t) => {
  for (const form of FORMS) {
    t.is(decodeSecrets(form, encode(form, [sample, sample]), 2).length, 2)
    t.throws(() => decodeSecrets(form, encode(form, [sample, sample]), 1), { code: 'SE_LIMIT_EXCEEDED' })
  }
})

test('a released body is wiped, and a second release takes nothing from the next', (t) => {
  const first = encodeSecrets('json', [sample])
  first.release()
  t.true(first.bytes.every((byte) => byte === 0))
  const second = encodeSecrets('json', [sample])
  const third = encodeSecrets('json', [sample])
  first.release()
  for (const body of [second, third]) {
    t.is(JSON.parse(Buffer.from(body.bytes).toString()).envelopes[0].id, 'pg/prod')
    body.release()
  }
})

test('a message that is longer than the kept buffers has memory of its own, which is dead after release', (t) => {
  for (const length of [16_000, 16_384, 20_000, 16 << 20]) {
    const value = Buffer.alloc(length, 7)
    for (const form of FORMS) {
      const body = encodeSecrets(form, [Secret.from('a', value)])
      const [read] = decodeSecrets(form, Buffer.from(body.bytes)) as [Secret]
      t.true(read.equals(value), `${form} ${length}`)
      read.dispose()
      body.release()
      body.release()
      t.true(body.bytes.length === 0 || body.bytes.every((byte) => byte === 0))
    }
  }
})

test('many bodies at once keep apart', (t) => {
  const bodies = Array.from({ length: 50 }, (_, at) => encodeSecrets('proto', [Secret.from(`s${at}`, `value ${at}`)]))
  for (const [at, body] of bodies.entries()) {
    const [read] = decodeSecrets('proto', Buffer.from(body.bytes)) as [Secret]
    t.is(read.text(), `value ${at}`)
    body.release()
  }
})

test('a disposed secret is not written, and nothing of the others stays', (t) => {
  const gone = Secret.from('gone', 'x')
  gone.dispose()
  for (const form of FORMS) {
    t.throws(() => encodeSecrets(form, [sample, gone]), { code: 'SE_DISPOSED' })
    const target = new Uint8Array(1000).fill(1)
    const facts = ['a', '', '', '0', 'b', '', '', '0']
    const handles = [handleOf(sample), handleOf(gone)]
    const outcome = native().encodeEnvelopes(form === 'json', facts, new Float64Array(6), handles, '', target)
    t.is(outcome.error?.code, 'SE_DISPOSED')
    t.true(target[0] === 0 && target.every((byte) => byte <= 1), 'what was written is wiped')
  }
})

test('one secret may be written several times', (t) => {
  for (const form of FORMS) t.is(decodeSecrets(form, encode(form, [sample, sample, sample])).length, 3)
})

test('facts that are not those of as many secrets are refused', (t) => {
  const target = new Uint8Array(1000)
  const facts = ['a', '', '', '0']
  for (const [given, times, count] of [
    [[], 1, 1],
    [facts, 0, 1],
    [facts, 1, 2],
    [[...facts, ...facts], 2, 1],
    [['a', '', '', '1'], 1, 1],
    [['a', '', '', 'x'], 1, 1],
  ] as const) {
    const handles = Array.from({ length: count }, () => handleOf(sample))
    const outcome = native().encodeEnvelopes(true, given, new Float64Array(times * 3), handles, '', target)
    t.is(outcome.error?.code, 'SE_INTERNAL')
  }
})

test('further members follow the envelopes, and values may be left out', (t) => {
  const body = encodeSecrets('json', [sample], { members: ',"more":[1]', withoutValues: true })
  const { envelopes, more } = JSON.parse(Buffer.from(body.bytes).toString())
  body.release()
  t.deepEqual(more, [1])
  t.is(envelopes[0].id, 'pg/prod')
  t.false('value' in envelopes[0])
})

test('the answer lines of an executable plugin are read and wiped, and a fault names its line', (t) => {
  const lines = Buffer.from('{"id":"a","value":"ü","metadata":{"k":"v"}}\n{"id":"b","valueBase64":"/w=="}\n')
  const read = native().decodeAnswerLines(lines, 10).value
  t.like(read, [{ id: 'a', metadata: { k: 'v' } }, { id: 'b' }])
  t.is(read?.[0]?.secret.text().value, 'ü')
  t.true(lines.every((byte) => byte === 0))
  const bad = native().decodeAnswerLines(Buffer.from('{"id":"a","value":""}\nnonsense\n'), 10)
  t.like(bad.error, { code: 'SE_CORRUPT', details: { line: '2' } })
})
