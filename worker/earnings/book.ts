import { larger } from '../../contracts/amount.ts'
import type { Clock } from '../clock.ts'
import { dayOf } from './history.ts'
import type { ChannelAccount, ChannelPhase, EarningsStore } from './store.ts'

/** Of what a channel has paid, the part that makes good what is given up on it, as a divisor: 1 %. */
const MAKES_GOOD = 100n

/** What the chain says of a channel. Nanotons. */
export interface SeenOnChain {
  deposited: bigint
  settled: bigint
  state: ChannelPhase
}

/**
 * The account of one channel, the only one of it in this process: a link counts work on it while the collector notes what
 * arrived. Each change is in the file, as a part of this turn's commit, before it counts here.
 */
export class ChannelBook {
  readonly #store: EarningsStore
  readonly #clock: Clock
  #account: ChannelAccount
  /** Whether the file knew the channel when it was opened. */
  readonly known: boolean

  constructor(store: EarningsStore, clock: Clock, address: string) {
    this.#store = store
    this.#clock = clock
    const found = store.account(address)
    this.known = found !== undefined
    this.#account = found ?? emptyAccount(address)
  }

  get account(): Readonly<ChannelAccount> {
    return this.#account
  }

  /** What cannot be taken back any more: the highest voucher, or what has arrived, should the file lack its voucher. */
  get covered(): bigint {
    const { ceiling, settled } = this.#account
    return larger(ceiling, settled)
  }

  /** Nanotons earned and not covered; never below 0. */
  get owed(): bigint {
    return larger(this.#account.earned - this.covered, 0n)
  }

  /** Nanotons covered beyond what was counted as earned. */
  get surplus(): bigint {
    return larger(this.covered - this.#account.earned, 0n)
  }

  /**
   * Nanotons given up beyond what this channel's payments make good; negative while they would make good more, which is
   * for this channel alone.
   */
  get writtenOff(): bigint {
    return this.#account.forgiven - this.covered / MAKES_GOOD
  }

  /** Nanotons of the highest voucher that have not arrived. */
  get unsettled(): bigint {
    return larger(this.#account.ceiling - this.#account.settled, 0n)
  }

  /** Who pays by the channel, and its parameters, so that it can be settled without a link. */
  describe(gateway: string, params: string): void {
    if (this.#account.gateway === gateway && this.#account.params === params) return
    this.#write(() => this.#update({ gateway, params }))
  }

  /** Counts `change` nanotons, which may be negative, as earned. */
  earn(change: bigint): void {
    this.#write(() => this.#update({ earned: this.#account.earned + change }))
  }

  /** Gives `loss` nanotons up; a negative one takes back what was given up before. */
  forgive(loss: bigint): void {
    const { earned, forgiven } = this.#account
    this.#write(() => this.#update({ earned: earned - loss, forgiven: forgiven + loss }))
  }

  /** Takes a voucher that was verified; a lower one than the known one changes nothing. */
  raise(ceiling: bigint, signature: string): void {
    const before = this.#account.ceiling
    if (ceiling <= before) return
    this.#write(() => {
      this.#store.history.addPay(this.#today(), this.#account.address, { vouchered: ceiling - before })
      this.#update({ ceiling, signature })
    })
  }

  /** Notes what the chain says. Settled amounts never shrink: a provider that lags behind changes nothing. */
  see({ deposited, settled, state }: SeenOnChain): void {
    const before = this.#account
    const arrived = settled > before.settled ? settled - before.settled : 0n
    if (arrived === 0n && deposited === before.deposited && state === before.state) return
    this.#write(() => {
      if (arrived > 0n) {
        this.#store.history.addPay(this.#today(), before.address, { settled: arrived })
      }
      this.#update({ deposited, settled: before.settled + arrived, state })
    })
  }

  #today(): string {
    return dayOf(this.#clock.now())
  }

  #write(work: () => void): void {
    const before = this.#account
    try {
      this.#store.transaction(work)
    } catch (error) {
      this.#account = before
      throw error
    }
  }

  #update(change: Partial<ChannelAccount>): void {
    const next = { ...this.#account, ...change }
    const since = next.ceiling <= next.settled ? 0 : next.unsettledSince || this.#clock.now()
    this.#account = { ...next, unsettledSince: since }
    this.#store.putAccount(this.#account)
  }
}

function emptyAccount(address: string): ChannelAccount {
  return {
    address,
    ...{ earned: 0n, ceiling: 0n, signature: '', forgiven: 0n },
    ...{ gateway: '', params: '', deposited: 0n, settled: 0n, state: 'open', unsettledSince: 0 },
  }
}
