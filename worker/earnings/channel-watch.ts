import type { ChannelParams } from '../../contracts/index.ts'
import type { Clock } from '../clock.ts'
import { codeOf, type Log } from '../log.ts'
import type { ChannelBook, SeenOnChain } from './book.ts'

/** Milliseconds between two looks at the channel on the chain. */
const RECHECK_MS = 60_000

/** A channel that was looked at on the chain. */
export interface CheckedPayment {
  params: ChannelParams
  globalId: number
  /** Raw. */
  address: string
  /** Looks again. @throws ContractsError when it is no longer one to give credit against */
  look: () => Promise<SeenOnChain>
}

export interface ChannelWatchParts {
  channel: Pick<CheckedPayment, 'look'>
  book: Pick<ChannelBook, 'see'>
  clock: Clock
  log: Log
  /** Called after each look, whatever it found. */
  onLooked: () => void
}

/** Looks at a gateway's channel on the chain again and again, while its link lasts. */
export class ChannelWatch {
  readonly #parts: ChannelWatchParts
  #refused: string | undefined
  #closed = false
  #cancelTimer: () => void = () => {}

  constructor(parts: ChannelWatchParts) {
    this.#parts = parts
    this.#schedule()
  }

  /** Code of what the last look found against the channel. */
  get refused(): string | undefined {
    return this.#refused
  }

  /** The link is gone: no more looks, and no word of one that is under way. */
  close(): void {
    this.#closed = true
    this.#cancelTimer()
  }

  #schedule(): void {
    this.#cancelTimer = this.#parts.clock.after(RECHECK_MS, () => void this.#look())
  }

  async #look(): Promise<void> {
    const { channel, book, log, onLooked } = this.#parts
    try {
      book.see(await channel.look())
      this.#refused = undefined
    } catch (error) {
      const code = codeOf(error)
      // A chain that is out of reach, lags or contradicts itself says nothing about the channel; the credit limit bounds
      // what can be lost meanwhile.
      if (!code.startsWith('ERR_CHAIN_')) this.#refused = code
      log.warn({ code }, 'channel check failed')
    }
    if (this.#closed) return
    onLooked()
    this.#schedule()
  }
}
