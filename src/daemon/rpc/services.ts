// The services of Docker's protocol, as Connect calls them.
import { fromJson } from '@bufbuild/protobuf'
import type { ConnectRouter } from '@connectrpc/connect'
import { createError } from '../../errors/secrets-error.js'
import { VersionService } from '../../gen/health/v1/health_pb.js'
import { ListPluginsResponseSchema, PluginManagementService } from '../../gen/plugins/v1/plugins_pb.js'
import { AuthorizerService, Decision } from '../../gen/resolver/v1/authorizer_pb.js'
import { ResolverService } from '../../gen/resolver/v1/resolver_pb.js'
import { parsePattern } from '../../pattern.js'
import { VERSION } from '../../version.js'
import type { Served } from './dispatch.js'
import { findSecrets } from './get-secrets.js'
import { within } from './passage.js'
import { pluginMessage } from './plugin-message.js'

/** Adds the services to a router. */
export function routeServices(router: ConnectRouter, { engine, authorize, plugins = engine }: Served): void {
  router.service(ResolverService, {
    getSecrets: ({ pattern }, context) =>
      within(context, async (passage) => {
        passage.secrets = await findSecrets(engine, passage.call, pattern)
        return {}
      }),
  })
  router.service(AuthorizerService, {
    authorize: ({ patterns }, context) =>
      within(context, async ({ call }) => {
        if (patterns.length === 0) throw createError('SE_INVALID_PATTERN', 'a request to authorize has no pattern')
        call.patterns = patterns
        const parsed = patterns.map(parsePattern)
        const left = new AbortController()
        call.whenLeft((reason) => left.abort(reason))
        const { requester } = call.connection
        await authorize?.(parsed, { requester, signal: left.signal })
        return { decision: Decision.ALLOW }
      }),
  })
  router.service(PluginManagementService, {
    listPlugins: (_, context) =>
      within(context, async () => {
        const listed = (await plugins.listPlugins()).map(pluginMessage)
        return fromJson(ListPluginsResponseSchema, { plugins: listed })
      }),
    enablePlugin: ({ name }, context) =>
      within(context, async () => {
        await plugins.enablePlugin(name)
        return {}
      }),
    disablePlugin: ({ name }, context) =>
      within(context, async () => {
        await plugins.disablePlugin(name)
        return {}
      }),
  })
  router.service(VersionService, { getVersion: () => ({ version: `v${VERSION}` }) })
}
