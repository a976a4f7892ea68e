// Runs all that CI runs, in order, and ends with one line of counts. Each step prints its own output; the first that
// fails ends the run. A test file that is on disk but ran no test is a failure, and so is a skipped test in CI.
import { spawn } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { sep } from 'node:path'
import { fileURLToPath } from 'node:url'

process.chdir(fileURLToPath(new URL('..', import.meta.url)))
delete process.env.NODE_EXTRA_CA_CERTS // Node 20 reads the bundle at every start, thrice the time of an empty program

const totals = { passed: 0, failed: 0, skipped: 0 }

/** Counts from `cargo test`: one result line a test binary. A test that others run in a process of its own says so. */
function countCargo(line) {
  if (/^test .* \.\.\. ignored(?!, run by the other tests)/.test(line)) totals.skipped++
  const result = /^test result: .*?(\d+) passed; (\d+) failed/.exec(line)
  if (!result) return
  totals.passed += Number(result[1])
  totals.failed += Number(result[2])
}

const titles = []

/** Counts from ava's TAP: `ok 1 - folder › file › title`, with `# SKIP` where skipped. */
function countTap(line) {
  const result = /^(ok|not ok) \d+ - (.*)$/.exec(line)
  if (!result) return
  const [, outcome, title] = result
  if (/# (SKIP|TODO)/.test(title)) totals.skipped++
  else {
    totals[outcome === 'ok' ? 'passed' : 'failed']++
    titles.push(title)
  }
}

/** Runs one step, its output passed on line by line. */
function run(command, args, { onLine, quietOk = false } = {}) {
  return new Promise((settle) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    let rest = ''
    child.stdout.setEncoding('utf8').on('data', (chunk) => {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop()
      for (const line of lines) {
        onLine?.(line)
        if (!quietOk || !/^ok \d+/.test(line)) process.stdout.write(`${line}\n`)
      }
    })
    child.on('error', (error) => settle(`${command}: ${error.message}`))
    child.on('close', (code, signal) => settle(code === 0 ? undefined : `${command} ended with ${signal ?? code}`))
  })
}

const npm = (script) => ['npm', ['run', '--silent', script]]
const steps = [
  ['format and lint', ...npm('lint')],
  ['types', ...npm('typecheck')],
  ['Rust tests', 'cargo', ['test', '--workspace', '--locked'], { onLine: countCargo }],
  ['TypeScript tests', 'npx', ['--no-install', 'ava', '--tap'], { onLine: countTap, quietOk: true }],
  ['documentation', ...npm('docs')],
  ['generated files', ...npm('check:generated')],
  ['fuzz targets', 'bash', ['scripts/fuzz.sh']],
  ['package', 'bash', ['scripts/check-package.sh']],
  ['workflows', 'bash', ['scripts/lint-workflows.sh']],
]

const problems = []
for (const [name, command, args, options] of steps) {
  process.stdout.write(`\n== ${name}\n`)
  const startedAt = Date.now()
  const problem = await run(command, args, options)
  process.stdout.write(`== ${name}: ${problem ?? 'done'} (${Math.round((Date.now() - startedAt) / 1000)} s)\n`)
  if (problem) {
    problems.push(`${name}: ${problem}`)
    break
  }
}
if (problems.length === 0) {
  for (const file of readdirSync('__test__', { recursive: true }).filter((name) => name.endsWith('.spec.ts'))) {
    const prefix = `${file.slice(0, -'.spec.ts'.length).split(sep).join(' › ')} › `
    if (!titles.some((title) => title.startsWith(prefix))) problems.push(`no test of ${file} ran`)
  }
  if (process.env.SE_REQUIRE && totals.skipped > 0) problems.push(`${totals.skipped} tests were skipped`)
}
for (const problem of problems) process.stdout.write(`FAILED: ${problem}\n`)
if (problems.length > 0 && totals.failed === 0) totals.failed = problems.length
process.stdout.write(`${totals.passed} passed, ${totals.failed} failed, ${totals.skipped} skipped\n`)
process.exitCode = problems.length > 0 || totals.failed > 0 ? 1 : 0
