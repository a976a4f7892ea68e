// The services of Docker's protocol, as Connect calls them.
import type { ConnectRouter } from '@connectrpc/connect'
import type { PluginInfo, PluginStatus } from '../../engine/engine.js'
import { createError } from '../../errors/secrets-error.js'
import { VersionService } from '../../gen/health/v1/health_pb.js'
import { PluginManagementService, RunStatus } from '../../gen/plugins/v1/plugins_pb.js'
import { AuthorizerService, Decision } from '../../gen/resolver/v1/authorizer_pb.js'
import { ResolverService } from '../../gen/resolver/v1/resolver_pb.js'
import { parsePattern } from '../../pattern.js'
import { VERSION } from '../../version.js'
import type { Served } from './dispatch.js'
import { findSecrets } from './get-secrets.js'
import { within } from './passage.js'

/** Adds the services to a router. */
export function routeServices(router: ConnectRouter, { engine, authorize }: Served): void {
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
      within(context, async () => ({ plugins: (await engine.listPlugins()).map(wirePlugin) })),
    enablePlugin: ({ name }, context) =>
      within(context, async () => {
        await engine.enablePlugin(name)
        return {}
      }),
    disablePlugin: ({ name }, context) =>
      within(context, async () => {
        await engine.disablePlugin(name)
        return {}
      }),
  })
  router.service(VersionService, { getVersion: () => ({ version: `v${VERSION}` }) })
}

const RUN_STATUSES: Readonly<Record<PluginStatus, RunStatus>> = {
  running: RunStatus.RUNNING,
  stopped: RunStatus.STOPPED,
  crashed: RunStatus.CRASHED,
  'retries exceeded': RunStatus.RETRIES_EXCEEDED,
}

function wirePlugin(plugin: PluginInfo) {
  const { name, version, kind, pattern, enabled, builtIn, configurable, status, statusMessage } = plugin
  const secrets = { case: 'secretsProvider' as const, value: { pattern } }
  const access = { case: 'accessControlModule' as const, value: {} }
  return {
    name,
    version,
    disabled: !enabled,
    external: !builtIn,
    configurable,
    runStatus: RUN_STATUSES[status],
    statusMessage: statusMessage ?? '',
    metadata: kind === 'secrets' ? secrets : access,
  }
}
