// Answers that hold values. Their bytes are written natively, outside of the JavaScript heap, and wiped as soon as they are
// sent (src/wire/body.ts).
import type { Secret } from '../../secret.js'
import { encodeSecrets, type WireBody, type WireForm } from '../../wire/body.js'
import { limitExceeded } from '../limits.js'
import { type Call, JSON_HEADERS, PROTO_HEADERS } from './call.js'

// More than the facts of a secret usually take beside its value.
const FACTS_BYTES = 512

/** Answers GetSecrets. The secrets belong to the call, and are wiped. */
export function answerSecrets(call: Call, form: WireForm, secrets: readonly Secret[]): void {
  try {
    checkAnswer(call, secrets)
    call.secrets = secrets.length
    const [only] = secrets
    if (secrets.length === 1 && only !== undefined && call.answerSecret(form, only)) return
    answerBody(call, form, encodeSecrets(form, secrets))
  } finally {
    for (const secret of secrets) secret.dispose()
  }
}

/** Answers with a body that is wiped when it is written. */
export function answerBody(call: Call, form: WireForm, body: WireBody): void {
  const { host } = call
  const { length } = body.bytes
  host.pendingBytes += length
  call.answer(200, form === 'json' ? JSON_HEADERS : PROTO_HEADERS, body.bytes, () => {
    host.pendingBytes -= length
    body.release()
  })
}

/** @throws `SE_LIMIT_EXCEEDED` when an answer with these secrets would be too large, or too many wait to be read. */
export function checkAnswer({ host }: Call, secrets: readonly Secret[]): void {
  const { maxEnvelopes, maxAnswerBytes, maxPendingBytes } = host.limits
  if (secrets.length > maxEnvelopes) {
    throw limitExceeded(
      'maxEnvelopes',
      `the answer has ${secrets.length} secrets, and one answer may have at most ${maxEnvelopes}`,
      maxEnvelopes,
    )
  }
  let bytes = 0
  for (const { byteLength } of secrets) bytes += FACTS_BYTES + Math.ceil(byteLength / 3) * 4
  if (bytes > maxAnswerBytes) {
    throw limitExceeded('maxAnswerBytes', `the answer has more than ${maxAnswerBytes} bytes`, maxAnswerBytes)
  }
  if (host.pendingBytes + bytes > maxPendingBytes) {
    const message = `too many answers wait to be read by their callers: more than ${maxPendingBytes} bytes`
    throw limitExceeded('maxPendingBytes', message, maxPendingBytes)
  }
}
