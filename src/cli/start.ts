/** The entry of the bundle: runs the command line of this process and ends with its status. */
import { main } from './main.js'

void main(process.argv, process.env).then((status) => {
  // What was written is out already: writes are synchronous. A thread of the addon that waits for a service does not
  // keep the process.
  process.exit(status)
})
