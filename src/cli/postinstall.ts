/**
 * Runs when a package manager has installed the package: links `se` to the launcher where that is safe. Whatever fails,
 * `se` is the JavaScript command line, as it is with `--ignore-scripts`; package.json lets nothing that is thrown here
 * out.
 */
import { dirname, join } from 'node:path'
import { platformName } from '../native/load.js'
import { findLauncher, linkLauncher } from './native-link.js'

/** Links the `se` of this installation. */
function postinstall(): void {
  if (process.platform === 'win32') return
  const root = dirname(__dirname)
  const cli = join(__dirname, 'cli.cjs')
  const launcher = findLauncher(cli, platformName())
  if (launcher === undefined) return
  // The link of a project, of a global installation, and of one in a folder of its own (npm's global nested ones).
  for (const link of [join(root, '../.bin/se'), join(root, '../../../bin/se')]) {
    try {
      linkLauncher(link, cli, launcher)
    } catch {
      // It stays what it is.
    }
  }
}

postinstall()
