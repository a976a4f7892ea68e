// The library's mask: a Node stream that replaces the values of secrets.
import { Transform, type TransformCallback } from 'node:stream'
import { checkOptions, wrongArgument } from '../argument.js'
import { maskReleaseAfterMs, type StreamMasker } from '../native/mask.js'
import { RESOLVE_OPTIONS, type ResolveOptions, resolveAll } from '../resolve.js'
import { Secret } from '../secret.js'
import { collectMaskValues, type UnmaskedSecret } from './mask.js'

/** How to redact. */
export interface RedactOptions extends ResolveOptions {
  /** Is told of each secret whose value is too short, too common or too long to be masked. */
  readonly onUnmasked?: ((unmasked: UnmaskedSecret) => void) | undefined
}

/**
 * Makes a stream that replaces each value by `[se://id]`, in whatever form it is written: as it is, escaped for JSON, a
 * shell or a URL, in base64 or hexadecimal digits, line by line, with colours inside, and split over any chunks. All other
 * bytes pass as they are, and none is held back that cannot belong to a value.
 *
 * Of a value that was written whole, no 8 consecutive bytes come out. A part of a value is not masked, and neither is a
 * value of fewer than 5 bytes, a word or number of fewer than 8, or one of more than 1 MiB.
 * @param secrets - What is masked: references, each of which may name many secrets, and secrets. One of them, or a list.
 *   Secrets stay the caller's, and may be disposed when the promise is fulfilled.
 * @returns a transform of bytes for one stream. Text that is written to it is encoded first; what comes out are Buffers.
 * @throws as `resolveAll`; `AccessError` `SE_DISPOSED` for a secret that was disposed.
 */
export async function redact(
  secrets: string | Secret | readonly (string | Secret)[],
  options: RedactOptions = {},
): Promise<Transform> {
  const list = typeof secrets === 'string' || secrets instanceof Secret ? [secrets] : secrets
  if (!Array.isArray(list)) throw wrongArgument('secrets', 'a reference, a secret or an array of them', list)
  checkOptions(options, [...RESOLVE_OPTIONS, 'onUnmasked'])
  const { onUnmasked, ...others } = options
  const references = list.filter((one) => !(one instanceof Secret)) as string[]
  const given = list.filter((one) => one instanceof Secret)
  const resolved = references.length === 0 ? [] : await resolveAll(references, others)
  try {
    const mask = collectMaskValues([...given, ...resolved]).prepare()
    for (const unmasked of mask.unmasked()) onUnmasked?.(unmasked)
    return new Redactor(mask.masker())
  } finally {
    for (const secret of resolved) secret.dispose()
  }
}

class Redactor extends Transform {
  readonly #masker: StreamMasker
  readonly #releaseAfterMs = maskReleaseAfterMs()
  #silence: NodeJS.Timeout | undefined

  constructor(masker: StreamMasker) {
    super()
    this.#masker = masker
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    clearTimeout(this.#silence)
    const out = this.#masker.push(chunk)
    if (this.#masker.held() > 0)
      this.#silence = setTimeout(() => this.#give(this.#masker.release()), this.#releaseAfterMs)
    this.#give(out)
    done()
  }

  override _flush(done: TransformCallback): void {
    clearTimeout(this.#silence)
    this.#give(this.#masker.finish())
    done()
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    clearTimeout(this.#silence)
    done(error)
  }

  #give(bytes: Buffer): void {
    if (bytes.length > 0) this.push(bytes)
  }
}
