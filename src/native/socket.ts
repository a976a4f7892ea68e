import type { Outcome } from './outcome.js'

/** Who is at the other end of a Unix socket, as the system says. */
export interface PeerCredentials {
  uid: number
  gid: number
  /** The process that connected; left out where the system does not say. */
  pid?: number
}

/** A program that runs. */
export interface RunningProgram {
  /** The name of the program. */
  name: string
  /** The path of its file; empty where it may not be seen. */
  path: string
}

/** A lock on a file, which this process holds until it is released or the process ends. */
export interface FileLock {
  release(): void
}

/** What crates/binding/src/socket.rs exports. Unix only: elsewhere each answers `SE_UNSUPPORTED`. */
export interface SocketBinding {
  /**
   * Binds and listens: a path (mode 0600 from the first instant, whatever the umask; at most 103 bytes; replaces what is
   * there, atomically), or a name that begins with `@` in the abstract space (Linux; its exact length). Answers with the
   * descriptor, close-on-exec and non-blocking, for `server.listen({ fd })`. `SE_DAEMON_RUNNING` when an abstract name
   * is taken.
   */
  listenUnix(address: string): Outcome<number>
  /**
   * Whether a program listens there: connects and closes at once. `refused`: a socket file that nobody listens on.
   * `SE_SOCKET_UNSAFE` when it is another user's, neither `uid` nor root.
   */
  probeUnix(address: string, uid: number): Outcome<'absent' | 'refused' | 'listening'>
  /**
   * Connects to a path, or to a name that begins with `@` in the abstract space (its exact length, which Node 20 gets
   * wrong). Answers with the descriptor, close-on-exec and non-blocking, for `new net.Socket({ fd })`.
   * `SE_DAEMON_UNREACHABLE`; `SE_SOCKET_UNSAFE` when the server is neither `uid`'s nor root's.
   */
  connectUnix(address: string, uid: number): Outcome<number>
  /** The credentials of the peer of a connected socket (SO_PEERCRED, LOCAL_PEERCRED). */
  peerCredentials(fd: number): Outcome<PeerCredentials>
  /** The program of a process. `SE_NOT_FOUND` when there is no such process. */
  programOf(pid: number): Outcome<RunningProgram>
  /** Takes the lock of a file (made with mode 0600), without waiting. Nothing when another process holds it. */
  lockFile(path: string): Outcome<FileLock | null>
  /** Marks every descriptor above 2 close-on-exec, those that this process was started with as well. */
  closeOnExec(): Outcome<null>
}
