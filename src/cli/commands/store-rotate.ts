/** `se store rotate`: gives the encrypted file a new key. */
import type { Command } from '../command.js'

/** Makes a new key. */
export const command: Command = {
  name: 'store rotate',
  summary: 'encrypt the file to a new key',
  usage: [''],
  description: [
    'The passphrase stays. The old key no longer opens the file. It stays below the new one in the key file, for old copies of ' +
      'the file and whatever else it opens: when such copies are in wrong hands, change the secrets, too.',
  ],
  flags: [],
  positionals: [],
  examples: [{ note: 'a new key', command: 'se store rotate' }],
  async run({ env, stderr }) {
    const { chosenFile, withKey } = await import('../file-key.js')
    const { native } = await import('../../native/load.js')
    const place = await chosenFile(env)
    await withKey(place, (known) => native().rotateStoreKey(place.path, place.identity, known))
    stderr.write(`${place.path} is encrypted to a new key, ${place.identity}.\n`)
    return 0
  },
}
