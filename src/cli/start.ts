/** The entry of the bundle: runs the command line of this process and ends with its status. */
import { main } from './main.js'

async function start(): Promise<number> {
  if (!/(^|[\\/])docker-pass$/.test(process.argv[1] ?? '')) return main(process.argv, process.env)
  const { dockerMain } = await import('./docker/main.js')
  return dockerMain(process.argv, process.env)
}

void start().then((status) => {
  // What was written is out already: writes are synchronous. A thread of the addon that waits for a service does not
  // keep the process.
  process.exit(status)
})
