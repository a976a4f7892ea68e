import type { Server } from 'node:http'
import { create } from '@bufbuild/protobuf'
import { createError } from '../errors/secrets-error.js'
import { RegisterPluginRequestSchema, RegisterPluginResponseSchema } from '../gen/plugins/v1/plugins_pb.js'
import { VERSION } from '../version.js'
import { checkRegistration, type Registration } from './registration.js'
import { createConnectServer, readMessage, sendMessage } from './serve-connect.js'

/** What the engine calls itself. */
const ENGINE_NAME = 'se-native'

/** How plugins register. */
export interface RegisterOptions {
  readonly expectName?: string | undefined
  readonly requestTimeoutMs: number
  readonly admit?: ((registration: Registration) => void | Promise<void>) | undefined
}

/**
 * The service that a plugin registers with, once a session.
 * @returns the server of a session's streams, and the registration: rejected with why the plugin was refused, after the
 *   plugin was told.
 */
export function createRegisterServer({ expectName, requestTimeoutMs, admit }: RegisterOptions): {
  server: Server
  registered: Promise<Registration>
} {
  let tell!: { resolve(registration: Registration): void; reject(error: unknown): void }
  const registered = new Promise<Registration>((resolve, reject) => {
    tell = { resolve, reject }
  })
  registered.catch(() => undefined)
  let begun = false
  const server = createConnectServer(
    new Map([
      [
        '/plugins.v1.RegisterService/RegisterPlugin',
        async (exchange) => {
          if (begun) {
            throw createError('SE_PLUGIN_DUPLICATE', 'a plugin registers once in a session, and this one has')
          }
          begun = true
          try {
            const registration = checkRegistration(readMessage(RegisterPluginRequestSchema, exchange), expectName)
            await admit?.(registration)
            const response = create(RegisterPluginResponseSchema, {
              engineName: ENGINE_NAME,
              engineVersion: `v${VERSION}`,
              requestTimeout: {
                seconds: BigInt(Math.floor(requestTimeoutMs / 1000)),
                nanos: (requestTimeoutMs % 1000) * 1_000_000,
              },
            })
            sendMessage(RegisterPluginResponseSchema, response, exchange)
            tell.resolve(registration)
          } catch (error) {
            exchange.response.once('close', () => tell.reject(error))
            throw error
          }
        },
      ],
    ]),
  )
  return { server, registered }
}
