/** The entry of the bundle: runs the command line of this process and ends with its status. */
import { main } from './main.js'

async function start(): Promise<number> {
  // The native launcher's note for this process. The native part reads it from how the process was started; no program that
  // is started here may take it for its own.
  const note = process.env['SE_START']
  delete process.env['SE_START']
  const name = note?.endsWith(':docker-pass') === true ? 'docker-pass' : (process.argv[1] ?? '')
  if (!/(^|[\\/])docker-pass$/.test(name)) return main(process.argv, process.env)
  const { dockerMain } = await import('./docker/main.js')
  return dockerMain(process.argv, process.env)
}

void start().then((status) => {
  // What was written is out already: writes are synchronous. A thread of the addon that waits for a service does not
  // keep the process.
  process.exit(status)
})
