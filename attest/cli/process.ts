/** What every process owes to those who start and stop it, and to those whose data it holds when it fails. */

/** Whether a supervisor started this process and speaks for it to the terminal. */
export const supervised = process.env.CHRYSALIS_SUPERVISED === '1'

/** What a supervisor sends over the IPC channel to stop a process: Windows has no SIGTERM that could be caught. */
export const STOP_MESSAGE = { type: 'stop' } as const

/**
 * Calls `stop` once: on SIGTERM or the supervisor's message, on SIGINT (unless supervised: the terminal sends that to
 * the whole group, and the supervisor decides), and when the supervisor is gone, which `orphaned` tells.
 */
export function onStop(stop: (orphaned: boolean) => void): void {
  let stopped = false
  const once = (orphaned: boolean) => {
    if (stopped) return
    stopped = true
    stop(orphaned)
  }
  process.on('SIGTERM', () => once(false))
  process.on('SIGINT', () => {
    if (!supervised) once(false)
  })
  if (!supervised) return
  process.on('message', (message) => {
    if ((message as { type?: unknown } | null)?.type === STOP_MESSAGE.type) once(false)
  })
  process.on('disconnect', () => once(true))
  // Without a channel there is nobody to follow; with one that closed before we listened there was.
  if (process.send !== undefined && !process.connected) once(true)
}

/** The stable code of anything thrown. Messages of errors are not logged: a library's may quote its input. */
export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return typeof code === 'string' && /^[A-Za-z0-9_]{1,64}$/.test(code) ? code : 'ERR_UNEXPECTED'
}

/** Where an error was thrown: file and line of ours, no message. */
export function placeOf(error: unknown): string {
  if (!(error instanceof Error)) return 'elsewhere'
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line))
  const place = /[\\/]((?:attest|contracts|worker|gateway)[\\/][\w.\\/-]+:\d+)/
  return frames.map((frame) => place.exec(frame)?.[1]).find(Boolean) ?? 'elsewhere'
}

/** The parts of a logger that a dying process needs. */
interface FaultLog {
  error(fields: { code: string; at: string }, message: string): void
}

/**
 * Ends the process with status 1 on anything that nobody caught. Node's own handlers would print the message, and a
 * library's message may quote what it was working on.
 *
 * @returns the same end for faults that were caught
 */
export function dieQuietly(log: FaultLog): (error: unknown, what: string) => never {
  const die = (error: unknown, what: string): never => {
    log.error({ code: codeOf(error), at: placeOf(error) }, what)
    process.exit(1)
  }
  process.on('uncaughtException', (error) => die(error, 'uncaught exception'))
  process.on('unhandledRejection', (error) => die(error, 'unhandled rejection'))
  return die
}
