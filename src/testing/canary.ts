import { randomBytes } from 'node:crypto'

/**
 * A value that is made when the test runs, and the forms in which it could show up where it must not: give it to the code
 * under test as a secret, then look for it in logs, files, errors, arguments and memory.
 *
 * ```ts
 * const canary = Canary.random()
 * await program({ password: canary.text })
 * assert.equal(canary.foundIn(await readFile('program.log')), undefined)
 * ```
 */
export class Canary {
  /** The value: letters and digits, so that no escaping changes it. */
  readonly text: string
  readonly #forms: ReadonlyMap<string, Buffer>

  /** Takes a value that the test has; at least 12 letters and digits, so that nothing else looks like it. */
  constructor(text: string) {
    if (!/^[A-Za-z0-9]{12,}$/.test(text)) throw new TypeError('a canary is at least 12 letters and digits')
    this.text = text
    this.#forms = formsOf(text)
  }

  /** A new value of 32 hexadecimal digits. */
  static random(): Canary {
    return new Canary(randomBytes(16).toString('hex'))
  }

  /** The value as bytes. */
  get bytes(): Uint8Array {
    return Buffer.from(this.text)
  }

  /**
   * Looks for the value, plain and in base64 (at any offset), hexadecimal, UTF-16, and back to front.
   * @returns the name of the first form that was found.
   */
  foundIn(haystack: Uint8Array | string): string | undefined {
    const bytes = typeof haystack === 'string' ? Buffer.from(haystack) : haystack
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    for (const [name, form] of this.#forms) if (buffer.includes(form)) return name
    return undefined
  }
}

function formsOf(text: string): Map<string, Buffer> {
  const plain = Buffer.from(text)
  const forms = new Map([
    ['plain', plain],
    ['reversed', Buffer.from(plain).reverse()],
    ['hex', Buffer.from(plain.toString('hex'))],
    ['upper hex', Buffer.from(plain.toString('hex').toUpperCase())],
    ['UTF-16LE', Buffer.from(text, 'utf16le')],
    ['UTF-16BE', Buffer.from(text, 'utf16le').swap16()],
  ])
  // Base64 depends on where the value begins within a group of three bytes. What depends on its neighbours is cut off.
  for (const offset of [0, 1, 2]) {
    const whole = Buffer.concat([Buffer.alloc(offset), plain])
    const length = whole.length - (whole.length % 3)
    const encoded = whole
      .subarray(0, length)
      .toString('base64')
      .slice(offset === 0 ? 0 : 4)
    forms.set(`base64 at ${offset}`, Buffer.from(encoded))
  }
  return forms
}
