import { codeOf } from '../../attest/cli/process.ts'
import type { ChannelState } from '../../contracts/index.ts'
import type { ChannelRecord, Ledger } from '../ledger/index.ts'
import type { ChannelDesk } from './desk.ts'
import type { Settler } from './settler.ts'
import type { Sightings } from './sightings.ts'

export interface WatcherOptions {
  ledger: Ledger
  desk: ChannelDesk
  settler: Settler
  sightings: Sightings
  /** Runs a step while no other one does: between two looks, others have their turn. */
  alone: <T>(step: () => Promise<T>) => Promise<T>
  /** How often each channel is looked at when nobody asks, in ms. */
  everyMs: number
  onWarning: (message: string, error: unknown) => void
}

/** Looks at the channels on the chain, and has settled what is worth it. */
export class Watcher {
  readonly #options: WatcherOptions
  /** What a channel failed with at the last look. */
  readonly #told = new Map<string, string>()

  constructor(options: WatcherOptions) {
    this.#options = options
  }

  /** All channels that are not closed. What goes wrong with one is a warning, and the others go on. */
  async look(isDue: (record: ChannelRecord) => boolean = () => true): Promise<void> {
    const { ledger, settler, sightings, alone } = this.#options
    const seen = new Set<string>()
    const closing = new Set<string>()
    for (const record of await ledger.channels()) {
      if (record.state === 'closed') sightings.forget(record.id)
      if (record.state === 'closed' || !isDue(record)) continue
      try {
        const state = await alone(() => this.#sync(record.id))
        this.#told.delete(record.id)
        if (state) seen.add(record.id)
        if (state && state.closeAt !== 0) closing.add(record.id)
      } catch (error) {
        this.#tell(record.id, error)
      }
    }
    const failures = await alone(async () => {
      const records = (await ledger.channels()).filter(({ id }) => seen.has(id))
      return await settler.settleDue(records, closing)
    })
    for (const failure of failures) this.#options.onWarning(failure.message, failure)
  }

  /** A failure that lasts is told of once, not at every look. */
  #tell(channel: string, error: unknown): void {
    if (this.#told.get(channel) === codeOf(error)) return
    this.#told.set(channel, codeOf(error))
    this.#options.onWarning(`channel ${channel} could not be brought up to the chain`, error)
  }

  /** With the record of now: others may have had their turn since the look began. */
  async #sync(id: string): Promise<ChannelState | undefined> {
    const { ledger, desk } = this.#options
    const record = await ledger.channelState(id)
    return record && record.state !== 'closed' ? await desk.sync(record) : undefined
  }

  /** Those that were not seen for `everyMs`. */
  lookAtDue(): Promise<void> {
    const { sightings, everyMs } = this.#options
    return this.look(({ id }) => sightings.age(id) >= everyMs)
  }
}
