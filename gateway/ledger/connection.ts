import { Worker } from 'node:worker_threads'
import { LedgerError } from './errors.ts'
import type { Batch, BatchReply, FromThread, LogReport, Opening, ThreadData, ToThread } from './wire.ts'

/** Started from sources the thread is a .ts file, started from dist/ it is the .js file that became of it. */
const THREAD = new URL(import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js', import.meta.url)

/** What the thread tells without being asked. */
export interface ThreadEvents {
  /** Nothing can be written any more. */
  onLost: (error: Error) => void
  onLog: (report: LogReport) => void
}

/** The face's end of the database thread: one batch at a time, or the end of everything. */
export class Connection {
  readonly opening: Opening
  readonly #worker: Worker
  readonly #exited: Promise<void>
  #waiting: ((reply: BatchReply) => void) | undefined
  #closing = false

  private constructor(worker: Worker, opening: Opening, { onLost, onLog }: ThreadEvents) {
    this.#worker = worker
    this.opening = opening
    this.#exited = new Promise((resolve) => worker.once('exit', () => resolve()))
    worker.on('message', (message: FromThread) => {
      if ('reply' in message) return this.#answer(message.reply)
      if ('log' in message) return onLog(message.log)
      if ('fatal' in message) onLost(lost(message.fatal))
    })
    worker.on('error', (error) => onLost(lost(error.message)))
    worker.on('exit', () => {
      if (!this.#closing) onLost(lost('the database thread ended'))
    })
  }

  /** Starts the thread, which opens (or makes) the ledger, takes it for itself and migrates it. */
  static async open(data: ThreadData, events: ThreadEvents): Promise<Connection> {
    const worker = new Worker(THREAD, { workerData: data, execArgv: [] })
    const first = await firstMessage(worker)
    if ('opened' in first) return new Connection(worker, first.opened, events)
    await worker.terminate()
    if ('openFailed' in first) throw new LedgerError(first.openFailed.code, first.openFailed.message)
    throw lost('the database thread answered out of turn')
  }

  /** Hands over a batch; resolves when it is durable. Not to be called while one is under way. */
  commit(batch: Batch): Promise<BatchReply> {
    return new Promise((resolve) => {
      this.#waiting = resolve
      this.#worker.postMessage({ batch } satisfies ToThread)
    })
  }

  async close(): Promise<void> {
    this.#closing = true
    this.#worker.postMessage({ close: true } satisfies ToThread)
    await this.#exited
  }

  #answer(reply: BatchReply): void {
    const waiting = this.#waiting
    this.#waiting = undefined
    waiting?.(reply)
  }
}

async function firstMessage(worker: Worker): Promise<FromThread> {
  const { promise, resolve, reject } = Promise.withResolvers<FromThread>()
  const ended = () => reject(lost('the database thread ended before it began'))
  worker.once('message', resolve).once('error', reject).once('exit', ended)
  try {
    return await promise
  } finally {
    worker.off('message', resolve).off('error', reject).off('exit', ended)
  }
}

function lost(why: string): LedgerError {
  return new LedgerError('ERR_LEDGER_LOST', `the ledger cannot write any more: ${why}`)
}
