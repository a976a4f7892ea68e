// Runs a command line on a terminal of its own, by script(1), and talks to it: waits for a text, then types.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cli, type Home } from './se.js'

/** A program on a terminal. */
export interface Terminal {
  /** Waits until the screen shows this text after what was shown before. */
  shows(text: string): Promise<void>
  /** Types. The Enter key is `\r`. */
  types(text: string): void
  /** Waits for the end: everything that was shown, and the exit status. */
  ends(): Promise<{ screen: string; status: number }>
}

/** Starts `se` on a terminal. */
export function onTerminal(home: Home, args: readonly string[], env: NodeJS.ProcessEnv = {}): Terminal {
  return programOnTerminal(home, [process.execPath, cli, ...args], env)
}

/** Starts any program on a terminal. */
export function programOnTerminal(home: Home, words: readonly string[], env: NodeJS.ProcessEnv = {}): Terminal {
  const line = words.map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ')
  const child = spawn('script', ['-qefc', line, '/dev/null'], {
    env: { ...home.env, TERM: 'xterm', SHELL: '/bin/sh', ...env },
    cwd: `${home.folder}/work`,
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let screen = ''
  let seen = 0
  let wake = (): void => {}
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    screen += text
    wake()
  })
  const closed = once(child, 'close').then(([code]) => {
    wake()
    return code as number
  })
  return {
    async shows(text) {
      for (;;) {
        const at = screen.indexOf(text, seen)
        if (at >= 0) {
          seen = at + text.length
          return
        }
        const changed = new Promise<void>((settle) => {
          wake = settle
        })
        if (child.exitCode !== null) throw new Error(`ended without showing ${JSON.stringify(text)}: ${screen}`)
        await changed
      }
    },
    types: (text) => void child.stdin.write(text),
    async ends() {
      const status = await closed
      return { screen, status }
    },
  }
}
