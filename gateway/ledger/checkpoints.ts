import type { LogReport } from './wire.ts'

/** Pages (4 KiB) that wait in the log until they are written back: as many as SQLite by itself lets come together. */
export const CHECKPOINT_PAGES = 1000
/** Pages in the log from which on no reservation is taken while they cannot be written back: 256 MiB. */
export const LOG_LIMIT_PAGES = 65_536
/** How long after a failure it is tried again where nothing else happens, in ms. */
const RETRY_MS = 5_000

/** The log beside a file into which every commit goes first. */
export interface WriteAheadLog {
  /** Pages in it that are not in the file yet. */
  waiting(): number
  /** Writes all of them into the file, whereupon the log begins anew. @throws when one of them could not be written */
  writeBack(): void
}

export interface CheckpointOptions {
  /** Told when it begins to fail, when the log has come to `limit` pages, and when it works again. */
  onChange: (report: LogReport) => void
  /** Pages; `LOG_LIMIT_PAGES` unless told. */
  limit?: number | undefined
}

/**
 * Writes the log back into the file when enough of it has come together. SQLite would do so by itself within a commit:
 * that commit would be acknowledged later, and a failure would be told to nobody while the log grows without bound.
 */
export class Checkpoints {
  readonly #log: WriteAheadLog
  readonly #onChange: (report: LogReport) => void
  readonly #limit: number
  #state: LogReport['state'] = 'fine'
  /** Pages at which it is tried next. */
  #due = CHECKPOINT_PAGES
  #retry: NodeJS.Timeout | undefined

  constructor(log: WriteAheadLog, { onChange, limit = LOG_LIMIT_PAGES }: CheckpointOptions) {
    this.#log = log
    this.#onChange = onChange
    this.#limit = limit
  }

  /** To be called once a batch was acknowledged. */
  afterBatch(): void {
    const pages = this.#log.waiting()
    if (pages >= this.#due) this.#try(pages)
  }

  /** Writes back what there is, for the last time. */
  close(): void {
    const pages = this.#log.waiting()
    if (pages > 0) this.#try(pages)
    clearTimeout(this.#retry)
  }

  #try(pages: number): void {
    clearTimeout(this.#retry)
    try {
      this.#log.writeBack()
      this.#due = CHECKPOINT_PAGES
      this.#turn({ state: 'fine', pages: 0, problem: '' })
    } catch (error) {
      this.#due = this.#next(pages)
      this.#retry = setTimeout(() => this.#try(this.#log.waiting()), RETRY_MS).unref()
      const problem = error instanceof Error ? error.message : String(error)
      this.#turn({ state: pages < this.#limit ? 'failing' : 'full', pages, problem })
    }
  }

  /** Each attempt writes the whole log, so that attempts at fixed steps would cost the square of its length. */
  #next(pages: number): number {
    const longer = Math.ceil(pages * 1.25)
    return pages < this.#limit ? Math.min(longer, this.#limit) : longer
  }

  #turn(report: LogReport): void {
    if (report.state === this.#state) return
    this.#state = report.state
    this.#onChange(report)
  }
}
