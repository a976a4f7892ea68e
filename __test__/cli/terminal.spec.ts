import { spawn } from 'node:child_process'
import { once } from 'node:events'
import test from 'ava'
import { checkBundle, cli, createFileHome, createHome } from '../helpers/se.js'
import { onTerminal, programOnTerminal } from '../helpers/terminal.js'

test.before(checkBundle)

test('on a terminal, set asks for the value and does not show it', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  const terminal = onTerminal(home, ['set', 'a/b'])
  await terminal.shows('Value of a/b: ')
  terminal.types('hunter2\r')
  const { screen, status } = await terminal.ends()
  t.is(screen, 'Value of a/b: \r\n')
  t.is(status, 0)
  t.is(await home.ok(['get', 'a/b', '--reveal']), 'hunter2')
})

test('on a terminal, set refuses an ID that is kept already before anything is typed', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  await home.ok(['set', 'a/b'], { stdin: 'old' })
  const { screen, status } = await onTerminal(home, ['set', 'a/b'], { NO_COLOR: '1' }).ends()
  t.is(screen, 'se: a secret is stored under a/b already\r\nhint: replace it: se set a/b --force\r\n')
  t.is(status, 1)
})

test('Ctrl-C at the prompt stores nothing', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  const terminal = onTerminal(home, ['set', 'a/b'])
  await terminal.shows('Value of a/b: ')
  terminal.types('hunter2\u0003')
  const { screen, status } = await terminal.ends()
  t.false(screen.includes('hunter2'))
  t.not(status, 0)
  t.is(await home.ok(['ls']), '')
})

test('an empty value at the prompt stores nothing, and the way to store one is told', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  for (const [flags, hint] of [
    [[], 'se set a/b='],
    [['--force'], 'se set a/b= --force'],
  ] as const) {
    const terminal = onTerminal(home, ['set', 'a/b', ...flags], { NO_COLOR: '1' })
    await terminal.shows('Value of a/b: ')
    terminal.types('\r')
    const { screen, status } = await terminal.ends()
    t.true(screen.endsWith(`nothing was stored\r\nhint: to store an empty value: ${hint}\r\n`), screen)
    t.is(status, 4)
  }
  t.is(await home.ok(['ls']), '')
})

test('a value in the argument gets a hint on a terminal', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  const { screen, status } = await onTerminal(home, ['set', 'a/b=hunter2']).ends()
  t.is(screen, 'hint: other processes saw this value, and your shell keeps it; without =VALUE you can type it\r\n')
  t.is(status, 0)
})

test('a revealed value ends with a newline on a terminal only', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  await home.ok(['set', 'a/b'], { stdin: 'hunter2' })
  t.is((await onTerminal(home, ['get', 'a/b', '--reveal']).ends()).screen, 'hunter2\r\n')
  t.is(await home.ok(['get', 'a/b', '--reveal']), 'hunter2')
})

test('rm --all asks on a terminal, and removes nothing unless the answer is yes', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  await home.ok(['set', 'a'], { stdin: '1' })
  await home.ok(['set', 'b'], { stdin: '2' })
  for (const answer of ['\r', 'n\r', 'no\r', 'x\r']) {
    const terminal = onTerminal(home, ['rm', '--all'])
    await terminal.shows('Remove all 2 secrets of ')
    await terminal.shows('[y/N] ')
    terminal.types(answer)
    t.is((await terminal.ends()).status, 4)
  }
  t.is(await home.ok(['ls']), 'a\nb\n')
  const terminal = onTerminal(home, ['rm', '--all'])
  await terminal.shows('[y/N] ')
  terminal.types('y\r')
  const { screen, status } = await terminal.ends()
  t.is(status, 0)
  t.true(screen.endsWith('RM: a\r\nRM: b\r\n'), screen)
  t.is(await home.ok(['ls']), '')
})

test('rm --all asks on the terminal though standard input comes from elsewhere', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  await home.ok(['set', 'a'], { stdin: '1' })
  const terminal = programOnTerminal(home, ['sh', '-c', '"$@" </dev/null', 'sh', process.execPath, cli, 'rm', '--all'])
  await terminal.shows('Remove the one secret of ')
  terminal.types('n\r')
  t.is((await terminal.ends()).status, 4)
  t.is(await home.ok(['ls']), 'a\n')
})

test('rm --all --yes does not ask', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  await home.ok(['set', 'a'], { stdin: '1' })
  t.is((await onTerminal(home, ['rm', '--all', '--yes']).ends()).screen, 'RM: a\r\n')
})

test('problems are coloured on a terminal, unless NO_COLOR is set', async (t) => {
  const home = await createFileHome((fn) => t.teardown(fn))
  t.true((await onTerminal(home, ['nonsense']).ends()).screen.startsWith('\u001b[31mse:\u001b[39m unknown command'))
  t.true((await onTerminal(home, ['nonsense'], { NO_COLOR: '1' }).ends()).screen.startsWith('se: unknown command'))
  t.true((await onTerminal(home, ['nonsense'], { TERM: 'dumb' }).ends()).screen.startsWith('se: unknown command'))
})

test('on a terminal, a new file asks for a passphrase twice, and reading asks for it once', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  const making = onTerminal(home, ['store', 'use', 'file'])
  await making.shows('New passphrase: ')
  making.types('correct horse\r')
  await making.shows('The same again: ')
  making.types('something else\r')
  await making.shows('New passphrase: ')
  making.types('correct horse\r')
  await making.shows('The same again: ')
  making.types('correct horse\r')
  const made = await making.ends()
  t.is(made.status, 0)
  t.true(made.screen.includes('which the passphrase protects'))
  t.false(made.screen.includes('horse'))

  await home.ok(['set', 'a'], { stdin: 'v', env: { SE_PASSPHRASE: 'correct horse' } })
  const reading = onTerminal(home, ['get', 'a', '--reveal'])
  await reading.shows('Passphrase: ')
  reading.types('correct horse\r')
  const { screen, status } = await reading.ends()
  t.is(screen, 'Passphrase: \r\nv\r\n')
  t.is(status, 0)
})

test('a new file asks on the terminal for a passphrase though standard input comes from elsewhere', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  const words = ['sh', '-c', '"$@" </dev/null', 'sh', process.execPath, cli, 'store', 'use', 'file']
  const terminal = programOnTerminal(home, words)
  for (const question of ['New passphrase: ', 'The same again: ']) {
    await terminal.shows(question)
    terminal.types('correct horse\r')
  }
  const { screen, status } = await terminal.ends()
  t.is(status, 0, screen)
  t.true(screen.includes('which the passphrase protects'), screen)
})

test('a wrong passphrase is asked for again, three times in all', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  const env = { SE_PASSPHRASE: 'correct horse' }
  await home.ok(['store', 'use', 'file'], { env })
  await home.ok(['set', 'a'], { stdin: 'v', env })
  for (const [wrong, args] of [
    [2, ['get', 'a', '--reveal']],
    [3, ['ls']],
    [3, ['store', 'rotate']],
  ] as const) {
    const terminal = onTerminal(home, args, { NO_COLOR: '1' })
    for (let count = 0; count < wrong; count++) {
      await terminal.shows(count === 0 ? 'Passphrase: ' : 'That is not it. Passphrase: ')
      terminal.types('battery\r')
    }
    if (wrong === 2) {
      await terminal.shows('That is not it. Passphrase: ')
      terminal.types('correct horse\r')
    }
    const { screen, status } = await terminal.ends()
    t.is(status, wrong === 2 ? 0 : 4)
    if (wrong === 2) t.regex(screen, /\r\nv\r\n$/)
    else t.regex(screen, /se: .*identity\.age\r\nhint: it is the one that was typed when the key was made, [^\n]*\n$/)
  }
})

test('store passphrase asks for the current one and checks it before it asks for the new one', async (t) => {
  const home = createHome((fn) => t.teardown(fn))
  await home.ok(['store', 'use', 'file'], { env: { SE_PASSPHRASE: 'first' } })
  const terminal = onTerminal(home, ['store', 'passphrase'])
  for (const [question, answer] of [
    ['Current passphrase: ', 'wrong'],
    ['That is not it. Current passphrase: ', 'first'],
    ['New passphrase: ', 'second'],
    ['The same again: ', 'second'],
  ] as const) {
    await terminal.shows(question)
    terminal.types(`${answer}\r`)
  }
  const { screen, status } = await terminal.ends()
  t.is(status, 0, screen)
  t.false(/\nPassphrase: /.test(screen), screen)
  t.is(await home.ok(['ls'], { env: { SE_PASSPHRASE: 'second' } }), '')
})

for (const args of [['--help'], ['ls'], ['get', 'a', '--reveal'], ['completion', 'bash']]) {
  test(`se ${args.join(' ')} ends quietly when its reader has gone`, async (t) => {
    const home = await createFileHome((fn) => t.teardown(fn))
    await home.ok(['set', 'a'], { stdin: 'x'.repeat(200_000) })
    const child = spawn(process.execPath, [cli, ...args], { env: home.env, stdio: ['ignore', 'pipe', 'pipe'] })
    child.stdout.destroy()
    let stderr = ''
    child.stderr.on('data', (chunk) => {
      stderr += chunk
    })
    const [status] = await once(child, 'close')
    t.is(stderr, '')
    t.is(status, 0)
  })
}
