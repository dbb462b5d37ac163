import { LOG_LIMIT_PAGES } from './checkpoints.ts'
import { LedgerError } from './errors.ts'
import type { LedgerOptions } from './types.ts'
import type { LogReport } from './wire.ts'

/** The face's end of the log: tells people when it cannot be written back, and lets nothing begin once it is too long. */
export class LogWatch {
  readonly #options: Pick<LedgerOptions, 'file' | 'onWarning' | 'logLimit'>
  #full: LedgerError | undefined

  constructor(options: Pick<LedgerOptions, 'file' | 'onWarning' | 'logLimit'>) {
    this.#options = options
  }

  /** Why nothing new may begin; undefined while it may. */
  get full(): LedgerError | undefined {
    return this.#full
  }

  heard({ state, pages, problem }: LogReport): void {
    const { file, logLimit = LOG_LIMIT_PAGES, onWarning } = this.#options
    const log = `the ledger's log, ${file}-wal,`
    const told = (message: string) => new LedgerError('ERR_LEDGER_CHECKPOINT', message)
    this.#full =
      state === 'full' ? told(`${log} has become too long, and nothing new may begin: ${problem}`) : undefined
    const message = {
      fine: `${log} is written back into the ledger again: all is well`,
      failing:
        `${log} cannot be written back into the ledger (${problem}). Nothing is lost, but it grows: ${mebibytes(pages)} now, ` +
        `and from ${mebibytes(logLimit)} on no new request is taken. Look at the disk: its space, its errors`,
      full:
        `${log} has come to ${mebibytes(pages)} and cannot be written back (${problem}): no new request is taken until ` +
        'that succeeds, and what runs is charged. Look at the disk: its space, its errors',
    }[state]
    onWarning?.(message, told(message))
  }
}

const mebibytes = (pages: number): string => `${Math.ceil(pages / 256)} MiB`
