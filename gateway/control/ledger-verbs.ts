import { randomUUID } from 'node:crypto'
import { codeOf } from '../../attest/cli/process.ts'
import { type Chain, readChannel } from '../../contracts/index.ts'
import type { Difference, Ledger, VerifyReport } from '../ledger/index.ts'
import { parseChannel } from './input.ts'
import { ControlError, type ControlVerb } from './server.ts'

/** A verification that nobody asks about for so long is ended: whoever began it is gone. */
const IDLE_MS = 30_000

/** What `ledger/verify/next` answers: what was found since it was last asked. */
export interface VerifyProgress {
  /** Rows that were looked at so far. */
  rows: number
  differences: Difference[]
  /** What was looked at in all, once it is over. */
  report?: VerifyReport
  /** Code of what ended it early. */
  failed?: string
}

/**
 * Verbs on the books of a running gateway. Verifying them takes as long as there are entries, so that one verb begins it
 * and another is asked what came of it.
 */
export function ledgerVerbs(
  ledger: Pick<Ledger, 'verify' | 'unfreeze'>,
  chain: Chain,
): Record<string, ControlVerb> {
  let job: VerifyJob | undefined
  return {
    'ledger/verify': async ({ chain: compare }) => {
      if (job?.running) throw new ControlError('ERR_CONTROL_BUSY', 'the ledger is being verified already')
      job = new VerifyJob(ledger, chain, compare === true)
      return { job: job.id }
    },
    'ledger/verify/next': async ({ job: id }) => {
      if (job && job.id === id) return job.next()
      throw new ControlError('ERR_CONTROL_INPUT', 'job: not the verification that is under way')
    },
    'ledger/unfreeze': async ({ channel }) => {
      const { id, frozen } = await ledger.unfreeze(parseChannel(channel))
      return { channel: id, frozen }
    },
  }
}

class VerifyJob {
  readonly id = randomUUID()
  readonly #stop = new AbortController()
  #found: Difference[] = []
  #rows = 0
  #end: Pick<VerifyProgress, 'report' | 'failed'> | undefined
  #idle: NodeJS.Timeout | undefined

  constructor(ledger: Pick<Ledger, 'verify'>, chain: Chain, compare: boolean) {
    this.#wait()
    const verified = ledger.verify({
      globalId: chain.globalId,
      onDifference: (difference) => this.#found.push(difference),
      onProgress: (rows) => {
        this.#rows = rows
      },
      ...(compare && { onChain: (params) => readChannel(params, chain) }),
      signal: this.#stop.signal,
    })
    verified.then(
      (report) => {
        this.#end = { report }
      },
      (error: unknown) => {
        this.#end = { failed: codeOf(error) }
      },
    )
  }

  get running(): boolean {
    return this.#end === undefined
  }

  next(): VerifyProgress {
    this.#wait()
    const progress = { rows: this.#rows, differences: this.#found, ...this.#end }
    this.#found = []
    return progress
  }

  #wait(): void {
    clearTimeout(this.#idle)
    this.#idle = setTimeout(() => this.#stop.abort(), IDLE_MS).unref()
  }
}
