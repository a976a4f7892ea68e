/** The daemon as a service of the user: units for systemd on Linux, an agent for launchd on macOS. Writes files only. */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { defaultPaths, pathBase } from '../config/paths.js'
import { createError } from '../errors/secrets-error.js'
import { daemonAddress } from './addresses.js'

/** A file that the service manager reads. */
export interface ServiceFile {
  readonly path: string
  readonly text: string
}

/** Files to write, and commands to run then. */
export interface Service {
  readonly files: readonly ServiceFile[]
  /** What starts it, each with what it does. */
  readonly toStart: readonly (readonly [command: string, note: string])[]
  /** What stops it, before the files are removed. */
  readonly toStop: readonly string[]
}

const LABEL = 'io.github.se-native.daemon'

/**
 * The service of this system.
 * @param program - The words that start `se`.
 * @throws `StoreError` `SE_UNSUPPORTED` where there is neither systemd nor launchd.
 */
export function service(program: readonly string[], env: NodeJS.ProcessEnv, platform = process.platform): Service {
  if (platform === 'linux') return systemdService(program, env)
  if (platform === 'darwin') return launchdService(program, env)
  throw createError('SE_UNSUPPORTED', `there is no service manager for the daemon on ${platform}`, {
    hint: 'every command works without a daemon',
    details: { platform },
  })
}

/** Writes the files, over those that are there. */
export function writeService({ files }: Service): void {
  for (const { path, text } of files) {
    try {
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(path, text, { mode: 0o644 })
    } catch (cause) {
      const reason = (cause as NodeJS.ErrnoException).code ?? 'unknown reason'
      throw createError('SE_OUTPUT_FAILURE', `${path} cannot be written (${reason})`, { details: { path }, cause })
    }
  }
}

/** Removes the files, and answers with those that were there. */
export function removeService({ files }: Service): string[] {
  return files.flatMap(({ path }) => {
    try {
      rmSync(path)
      return path
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException
      if (code === 'ENOENT') return []
      throw createError('SE_OUTPUT_FAILURE', `${path} cannot be removed (${code ?? 'unknown reason'})`, {
        details: { path },
        cause,
      })
    }
  })
}

/**
 * The socket unit has our own address only: systemd would put its socket in the place of one that another program listens
 * on, so Docker's addresses are left to the daemon, which does not.
 */
function systemdService(program: readonly string[], env: NodeJS.ProcessEnv): Service {
  const folder = join(dirname(defaultPaths({ ...pathBase(env), platform: 'linux' }).configFolder), 'systemd', 'user')
  const unit = (name: string, text: string): ServiceFile => ({ path: join(folder, name), text })
  return {
    files: [
      unit(
        'se-native.service',
        `# Written by se daemon install.
[Unit]
Description=se-native, the secrets engine of this user
Documentation=man:se(1)

[Service]
Type=exec
ExecStart=${[...program, 'daemon', 'run'].map(systemdWord).join(' ')}
ExecReload=/bin/kill -HUP $MAINPID
# The daemon ends its plugins itself, after what they are asked for.
KillMode=mixed
TimeoutStopSec=30
Restart=on-failure
LimitCORE=0
UMask=0077

[Install]
WantedBy=default.target
`,
      ),
      unit(
        'se-native.socket',
        `# Written by se daemon install.
[Unit]
Description=The socket of se-native, which starts it with the first request

[Socket]
ListenStream=${systemdValue(daemonAddress(env))}
SocketMode=0600
DirectoryMode=0700
RemoveOnStop=yes

[Install]
WantedBy=sockets.target
`,
      ),
    ],
    toStart: [
      ['systemctl --user daemon-reload', 'reads the units'],
      ['systemctl --user enable --now se-native.service', 'starts the daemon, now and at every login'],
      ['systemctl --user enable --now se-native.socket', 'or: starts it with the first request'],
    ],
    toStop: ['systemctl --user disable --now se-native.socket se-native.service'],
  }
}

function launchdService(program: readonly string[], env: NodeJS.ProcessEnv): Service {
  const { home } = pathBase(env)
  const path = join(home, 'Library', 'LaunchAgents', `${LABEL}.plist`)
  const words = [...program, 'daemon', 'run'].map((word) => `    <string>${xmlText(word)}</string>`)
  const text = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<!-- Written by se daemon install. -->
<plist version="1.0">
<dict>
  <key>Label</key>
  <string>${LABEL}</string>
  <key>ProgramArguments</key>
  <array>
${words.join('\n')}
  </array>
  <key>RunAtLoad</key>
  <true/>
  <key>KeepAlive</key>
  <dict>
    <key>SuccessfulExit</key>
    <false/>
  </dict>
  <key>ProcessType</key>
  <string>Background</string>
  <key>ExitTimeOut</key>
  <integer>30</integer>
  <key>Umask</key>
  <integer>63</integer>
</dict>
</plist>
`
  return {
    files: [{ path, text }],
    toStart: [[`launchctl bootstrap gui/$(id -u) ${path}`, 'starts the daemon, now and at every login']],
    toStop: [`launchctl bootout gui/$(id -u)/${LABEL}`],
  }
}

/** A word of a command line in a unit. @see systemd.service(5), "Command lines"; systemd.unit(5), "Specifiers" */
function systemdWord(word: string): string {
  const escaped = systemdValue(word).replace(/["\\]/g, '\\$&').replaceAll('$', '$$$$')
  return /[\s"'\\;$]/.test(word) ? `"${escaped}"` : escaped
}

function systemdValue(text: string): string {
  if (/[\n\r\0]/.test(text)) {
    throw createError('SE_UNSUPPORTED', 'a path with a line end cannot be written into a unit of systemd')
  }
  return text.replaceAll('%', '%%')
}

function xmlText(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
