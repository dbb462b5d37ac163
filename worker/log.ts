/** What the worker writes about itself: codes, ids and numbers of its own, never bytes of a request or an answer. */

export { codeOf } from '../attest/cli/process.ts'

export type LogFields = Readonly<
  Record<string, string | number | boolean | readonly string[] | null | undefined>
>

/** A structured log; pino fits. */
export interface Log {
  info(fields: LogFields, message: string): void
  warn(fields: LogFields, message: string): void
  error(fields: LogFields, message: string): void
}

/** Writes nothing. */
export const silentLog: Log = { info() {}, warn() {}, error() {} }
