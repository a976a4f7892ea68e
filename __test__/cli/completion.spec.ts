// Completion in real shells, on a terminal: what is typed before Tab, and what the shell makes of it.
import { spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import test, { type ExecutionContext } from 'ava'
import { checkBundle, cli, createHome, type Home } from '../helpers/se.js'
import { programOnTerminal, type Terminal } from '../helpers/terminal.js'

test.before(checkBundle)

const SHELLS = {
  bash: { start: ['bash', '--norc', '--noprofile', '-i'], prepare: "bind 'set bell-style none'; PS1='ready$ '" },
  zsh: { start: ['zsh', '-f', '-i'], prepare: "unsetopt beep; PS1='ready$ '; autoload -Uz compinit; compinit -D -u" },
  fish: {
    start: ['fish', '--no-config', '-i'],
    prepare: "function fish_prompt; echo 'ready$ '; end; set -g fish_autosuggestion_enabled 0",
  },
} as const

async function homeWithSecrets(t: ExecutionContext): Promise<Home> {
  const home = createHome((fn) => t.teardown(fn))
  await home.ok(['store', 'use', 'file', '--key-file'])
  for (const id of ['app/db', 'team:x/token']) await home.ok(['set', id], { stdin: 'v' })
  mkdirSync(join(home.folder, 'bin'))
  const se = join(home.folder, 'bin/se')
  writeFileSync(se, `#!/bin/sh\nexec '${process.execPath}' '${cli}' "$@"\n`)
  chmodSync(se, 0o755)
  writeFileSync(join(home.folder, 'work', 'some-file.txt'), '')
  return home
}

async function startShell(home: Home, name: keyof typeof SHELLS): Promise<Terminal> {
  const { start, prepare } = SHELLS[name]
  const shell = programOnTerminal(home, start, {
    PATH: `${join(home.folder, 'bin')}:${process.env['PATH']}`,
    HISTFILE: '',
    TERM: 'dumb',
  })
  shell.types(
    `${prepare}; ${name === 'fish' ? 'se completion fish | source' : `eval "$(se completion ${name})"`}; echo be''gin\r`,
  )
  await shell.shows('begin')
  await shell.shows('ready$ ')
  return shell
}

for (const name of ['bash', 'zsh', 'fish'] as const) {
  const missing = spawnSync(name, ['--version']).error !== undefined
  const inShell = missing && process.env['SE_REQUIRE'] === undefined ? test.skip : test
  inShell(`${name} completes commands, flags, files and ids`, async (t) => {
    const home = await homeWithSecrets(t)
    const shell = await startShell(home, name)
    // Each line is typed, completed by Tab, and run: what it prints shows what was completed.
    for (const [typed, shown] of [
      ['se vers\t\r', 'se 0.'],
      ['se get ap\t\r', 'ID: app/db'],
      ['se get team:\t\r', 'ID: team:x/token'],
      ['se get app/db --js\t\r', '"id":"app/db"'],
      ['se ls --store=fi\t\r', 'app/db'],
      ['se help store u\t\r', 'se store use: '],
      ['se run -- echo some-f\t\r', 'some-file.txt'],
    ] as const) {
      shell.types(typed)
      await shell.shows(shown)
      await shell.shows('ready$ ')
    }
    shell.types('exit\r')
    t.is((await shell.ends()).status, 0)
  })
}
