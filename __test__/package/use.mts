// The types of the installed package, from an ES module.
import { definePlugin, type Engine, type ErrorCode, NotFoundError, resolve, type Secret, SecretsError } from 'se-native'
import { createTestEngine } from 'se-native/testing'

const { engine }: { engine: Engine } = await createTestEngine({ a: 'b' })
const text: string = await resolve('se://a', { engine }).text()
using secret: Secret = await resolve('se://a', { engine, policy: 'first', timeoutMs: 1000 })
const length: number = await secret.use((bytes: Uint8Array) => bytes.length + text.length)
const plugin = definePlugin({
  name: 'p',
  version: 'v1.0.0',
  pattern: '**',
  getSecrets: () => [{ id: 'a', value: 'b' }],
})
try {
  await resolve(`se://${plugin.name}${length}`)
} catch (error) {
  if (error instanceof NotFoundError) {
    const code: 'SE_NOT_FOUND' | 'SE_NO_PLUGIN' | 'SE_COMMAND_NOT_FOUND' = error.code
    console.log(code)
  }
  if (SecretsError.is(error)) {
    const code: ErrorCode = error.code
    console.log(code, error.hint)
  }
}
