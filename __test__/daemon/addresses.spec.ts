import test from 'ava'
import {
  daemonAddress,
  dialledAddress,
  dockerDaemonAddress,
  dockerEngineAddress,
  listenAddresses,
} from '../../src/daemon/addresses.js'

const env = { HOME: '/home/u', XDG_RUNTIME_DIR: '/run/user/7' }
const onLinux = process.platform === 'linux' ? test : test.skip

onLinux('the daemon is in the runtime folder, else in the cache folder', (t) => {
  t.is(daemonAddress(env), '/run/user/7/se-native/daemon.sock')
  t.is(daemonAddress({ HOME: '/home/u' }), '/home/u/.cache/se-native/daemon.sock')
  t.is(daemonAddress({ HOME: '/home/u', XDG_CACHE_HOME: '/c' }), '/c/se-native/daemon.sock')
})

onLinux('a relative or empty XDG variable counts as unset', (t) => {
  t.is(
    daemonAddress({ HOME: '/home/u', XDG_RUNTIME_DIR: 'run', XDG_CACHE_HOME: '' }),
    '/home/u/.cache/se-native/daemon.sock',
  )
})

onLinux('a runtime folder whose path is too long for a socket is passed over', (t) => {
  const fits = `/${'r'.repeat(103 - 23)}`
  t.is(daemonAddress({ ...env, XDG_RUNTIME_DIR: fits }), `${fits}/se-native/daemon.sock`)
  t.is(Buffer.byteLength(`${fits}/se-native/daemon.sock`), 103)
  t.is(daemonAddress({ ...env, XDG_RUNTIME_DIR: `${fits}r` }), '/home/u/.cache/se-native/daemon.sock')
})

onLinux('SE_SOCKET names what is dialled: a path, made absolute, or an abstract name', (t) => {
  t.is(dialledAddress(env), '/run/user/7/se-native/daemon.sock')
  t.is(dialledAddress({ ...env, SE_SOCKET: '' }), '/run/user/7/se-native/daemon.sock')
  t.is(dialledAddress({ ...env, SE_SOCKET: '/s' }), '/s')
  t.is(dialledAddress({ ...env, SE_SOCKET: '~/s' }), '/home/u/s')
  t.is(dialledAddress({ ...env, SE_SOCKET: 's' }), `${process.cwd()}/s`)
  t.is(dialledAddress({ ...env, SE_SOCKET: '@s' }), '@s')
})

onLinux("Docker's addresses are those that its programs dial", (t) => {
  t.is(dockerDaemonAddress(501, env), '@docker-secrets-engine/501/daemon.sock')
  t.is(dockerEngineAddress(env), '/home/u/.cache/docker-secrets-engine/engine.sock')
})

onLinux("a daemon listens on its own address and on Docker's, unless configured otherwise", (t) => {
  t.deepEqual(listenAddresses({}, env), [
    '/run/user/7/se-native/daemon.sock',
    `@docker-secrets-engine/${process.getuid?.()}/daemon.sock`,
    '/home/u/.cache/docker-secrets-engine/engine.sock',
  ])
  t.deepEqual(listenAddresses({ addresses: ['/a', '@b', '/a'] }, env), ['/a', '@b'])
})
