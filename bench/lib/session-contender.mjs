// What bench/session.mjs asks, in a process of its own: `node session-contender.mjs echo|plugin SOCKET`.
import { createServer } from 'node:http'
import { definePlugin, runPlugin, Secret } from '../../dist/index.js'
import { encodeSecrets } from '../../dist/wire/body.js'

const VALUE = Buffer.from('a value of 32 bytes or so, long.')

/** The plugin. */
export const plugin = definePlugin({
  name: 'bench',
  version: 'v1.0.0',
  pattern: 'bench/**',
  getSecrets: (pattern) => [{ id: pattern.text, value: VALUE }],
})

const [, , contender, socket] = process.argv
if (contender === 'plugin') await runPlugin(plugin, { socket })
if (contender === 'echo') {
  const { bytes } = encodeSecrets('proto', [Secret.from('bench/item', VALUE)])
  const answer = Buffer.from(bytes)
  const server = createServer((request, response) => {
    request.resume().once('end', () => response.end(answer))
  })
  server.listen(socket, () => process.send('listening'))
}
