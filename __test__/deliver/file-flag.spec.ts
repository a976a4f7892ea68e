import { readFileSync } from 'node:fs'
import test from 'ava'
import { type FileFlag, parseFileFlag } from '../../src/deliver/file-flag.js'

/** A `--file`, and the file that it asks for or all that is wrong with it. */
interface Vector {
  readonly text: string
  readonly file?: FileFlag
  readonly problems?: readonly string[]
}

const vectors = JSON.parse(readFileSync(new URL('../vectors/file-flags.json', import.meta.url), 'utf8')) as Vector[]

for (const { text, file, problems = [] } of vectors) {
  test(`${JSON.stringify(text)} is ${file === undefined ? 'refused' : 'a file'}`, (t) => {
    const parsed = parseFileFlag(text)
    t.deepEqual(parsed.file, file)
    t.deepEqual(
      parsed.problems.map(({ message }) => message),
      [...problems],
    )
  })
}
