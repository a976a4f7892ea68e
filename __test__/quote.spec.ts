import test from 'ava'
import fc from 'fast-check'
import { quote } from '../src/quote.js'

test('what a terminal would act on is escaped', (t) => {
  t.is(quote('\u001b[31mred\u0007'), '"\\u{1b}[31mred\\u{7}"')
  t.is(quote('a\r\n\tb'), '"a\\r\\n\\tb"')
})

test('what cannot be seen, or changes how the rest is seen, is escaped', (t) => {
  t.is(quote('a\u202eb\u200b\u00a0\ufeff\u2028'), '"a\\u{202e}b\\u{200b}\\u{a0}\\u{feff}\\u{2028}"')
  t.is(quote('e\u0301'), '"e\\u{301}"')
  t.is(quote('\ud800'), '"\\u{d800}"')
})

test('quotes and backslashes are escaped, other visible text is not', (t) => {
  t.is(quote('"\\'), '"\\"\\\\"')
  t.is(quote('é 漢 😀'), '"é 漢 😀"')
})

test('of a long text the part around the offset is shown', (t) => {
  const text = `${'a'.repeat(100)}!${'b'.repeat(100)}`
  t.is(quote(text), `"${'a'.repeat(80)}"…`)
  t.is(quote(text, 100), `…"${'a'.repeat(40)}!${'b'.repeat(39)}"…`)
  t.is(quote(text, 201), `…"${'b'.repeat(80)}"`)
})

test('no text makes a quotation longer than its escapes, or one with anything unseen in it', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.nat(300), (text, at) => {
      const quoted = quote(text, at)
      return quoted.length <= 80 * 10 + 4 && /^…?"[^\p{C}\p{Zl}\p{Zp}]*"…?$/u.test(quoted)
    }),
  )
  t.pass()
})
