import { keychain } from '../plugins/keychain.js'
import { createEngine } from './create-engine.js'
import type { Engine } from './engine.js'

let opened: Promise<Engine> | undefined

/** The engine that is used where none is given: the built-in plugin of the chosen store. Made once, when first needed. */
export function defaultEngine(): Promise<Engine> {
  opened ??= createEngine({ plugins: [keychain()] })
  return opened
}
