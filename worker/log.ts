/** What the worker writes about itself: codes, ids and numbers of its own, never bytes of a request or an answer. */

export type LogFields = Readonly<
  Record<string, string | number | boolean | readonly string[] | null | undefined>
>

/** A structured log; pino fits. */
export interface Log {
  info(fields: LogFields, message: string): void
  warn(fields: LogFields, message: string): void
  error(fields: LogFields, message: string): void
}

/** The stable code of anything thrown. Messages of errors are not logged: a library's may quote its input. */
export function codeOf(error: unknown): string {
  const code = (error as { code?: unknown } | null | undefined)?.code
  return typeof code === 'string' && /^[A-Za-z0-9_]{1,64}$/.test(code) ? code : 'ERR_UNEXPECTED'
}

/** Writes nothing. */
export const silentLog: Log = { info() {}, warn() {}, error() {} }
