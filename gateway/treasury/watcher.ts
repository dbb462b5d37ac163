import { codeOf } from '../../attest/cli/process.ts'
import type { ChannelState } from '../../contracts/index.ts'
import type { ChannelRecord, Ledger } from '../ledger/index.ts'
import type { ChannelDesk } from './desk.ts'
import type { Settler } from './settler.ts'
import type { Sightings } from './sightings.ts'
import { DUST } from './terms.ts'

/** Channels that are looked at in one go; then it is judged anew which have waited longest, and what is due is settled. */
const IN_ONE_GO = 8
/** So much longer waits a channel on which nothing is at stake: when it is used, it is looked at then. */
const IDLE_TIMES = 15
/** After a start it is looked at as soon as there is time: so much longer it waits than others while there is none. */
const NEW_TIMES = 4
/** Looks for the sake of requests at once: such a request holds a slot of a worker while it waits. */
const MOST_ASKED = 4

export interface WatcherOptions {
  ledger: Ledger
  desk: ChannelDesk
  settler: Settler
  sightings: Sightings
  /** Whether a channel is a client's that somebody else pays into, of which there may be any number. */
  isOthers: (record: ChannelRecord) => boolean
  /** Runs a step while no other one does: between two looks, others have their turn. */
  alone: <T>(step: () => Promise<T>) => Promise<T>
  /** How often each channel is looked at when nobody asks, in ms. */
  everyMs: number
  /** Milliseconds that only grow. */
  monotonic: () => number
  onWarning: (message: string, error: unknown) => void
}

/** Looks at the channels on the chain, and has settled what is worth it. */
export class Watcher {
  readonly #options: WatcherOptions
  /** What a channel failed with at the last look. */
  readonly #told = new Map<string, string>()
  /** When a channel was last looked at, whatever came of it. */
  readonly #tried = new Map<string, number>()
  readonly #begun: number
  /** Looks for the sake of one request. */
  readonly #asked = new Map<string, Promise<void>>()

  constructor(options: WatcherOptions) {
    this.#options = options
    this.#begun = options.monotonic()
  }

  /** All channels that are not closed. What goes wrong with one is a warning, and the others go on. */
  async look(which: (record: ChannelRecord) => boolean = () => true): Promise<void> {
    await this.#lookAt((await this.#open()).filter(which))
  }

  /**
   * Those that have waited long enough, the longest first: a channel on which nothing is at stake costs its owner next to
   * nothing, so that many of them must not hold up the others.
   *
   * @returns whether more may be due
   */
  async lookAtDue(): Promise<boolean> {
    const { everyMs } = this.#options
    if (everyMs === 0) {
      await this.look()
      return false
    }
    const ranked = (await this.#open())
      .map((record) => ({ record, rank: this.#rank(record) }))
      .sort((a, b) => b.rank - a.rank)
    const due = ranked.filter(({ record, rank }) => rank >= everyMs || !this.#tried.has(record.id))
    // Where all are idle, one of them tells whether the chain is there.
    const quiet = ranked.every(({ record }) => this.#waited(record.id) >= everyMs)
    const turn = due.length === 0 && quiet ? ranked.slice(0, 1) : due.slice(0, IN_ONE_GO)
    await this.#lookAt(turn.map(({ record }) => record))
    return due.length > turn.length
  }

  /** Looks at one channel for the sake of a request; at most every `everyMs`, as whatever hinders it may last. */
  async lookAtOne(id: string): Promise<void> {
    const underWay = this.#asked.get(id)
    if (underWay) return await underWay
    if (this.#asked.size >= MOST_ASKED) return
    if (this.#options.monotonic() - (this.#tried.get(id) ?? Number.NEGATIVE_INFINITY) < this.#options.everyMs)
      return
    const asked = this.look((record) => record.id === id).finally(() => this.#asked.delete(id))
    this.#asked.set(id, asked)
    await asked
  }

  async #open(): Promise<ChannelRecord[]> {
    const { ledger, sightings } = this.#options
    const open: ChannelRecord[] = []
    for (const record of await ledger.channels()) {
      if (record.state !== 'closed') {
        open.push(record)
        continue
      }
      sightings.forget(record.id)
      this.#tried.delete(record.id)
    }
    return open
  }

  /** Milliseconds since it was seen, or looked for in vain; of one that never was, since a look was due at the start. */
  #waited(id: string): number {
    const { sightings, monotonic, everyMs } = this.#options
    const tried = this.#tried.get(id) ?? this.#begun - everyMs
    return Math.min(sightings.age(id), monotonic() - tried)
  }

  /** How long it has waited, in ms, as that counts for one with something at stake. */
  #rank(record: ChannelRecord): number {
    const times = this.#tried.has(record.id) ? IDLE_TIMES : NEW_TIMES
    return this.#waited(record.id) / (this.#isIdle(record) ? times : 1)
  }

  /** Another's channel on which nothing is under way, and no more can be lost than a settle costs; or a mere plan of one. */
  #isIdle(record: ChannelRecord): boolean {
    const { deposited, reserved, charged, settled } = record
    if (deposited === 0n) return true
    return reserved === 0n && charged - settled < DUST && this.#options.isOthers(record)
  }

  async #lookAt(records: readonly ChannelRecord[]): Promise<void> {
    const { ledger, settler, sightings, alone, monotonic } = this.#options
    const seen = new Set<string>()
    const closing = new Set<string>()
    for (const { id } of records) {
      try {
        const state = await alone(() => this.#sync(id))
        this.#told.delete(id)
        if (state) seen.add(id)
        if (state && state.closeAt !== 0) closing.add(id)
      } catch (error) {
        sightings.missed(id)
        this.#tell(id, error)
      }
      this.#tried.set(id, monotonic())
    }
    if (seen.size === 0) return
    const failures = await alone(async () => {
      const found = await Promise.all([...seen].map((id) => ledger.channelState(id)))
      return await settler.settleDue(
        found.filter((record) => record !== undefined),
        closing,
      )
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
}
