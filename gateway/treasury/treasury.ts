import type { WaitOptions } from '../../contracts/index.ts'
import type { ChannelRecord, Ledger } from '../ledger/index.ts'
import { type Balances, readBalances } from './balances.ts'
import { ClientChannels, requireRecord } from './client-channels.ts'
import { ChannelDesk, type ChannelStatus, type TreasuryChain } from './desk.ts'
import { TreasuryError } from './errors.ts'
import type { DelegatedKeyPlace, TreasuryKeys } from './keys.ts'
import { Openings } from './openings.ts'
import { Settler } from './settler.ts'
import { Sightings } from './sightings.ts'
import { DEFAULT_TERMS, isOthers, paramsOf, type TreasuryTerms } from './terms.ts'
import { Watcher } from './watcher.ts'
import { type Payee, type Payment, WorkerChannels } from './worker-channels.ts'

export interface TreasuryOptions {
  chain: TreasuryChain
  keys: TreasuryKeys
  ledger: Ledger
  terms?: Partial<TreasuryTerms>
  /** Wall clock in ms, the ledger's. */
  now?: () => number
  /** Milliseconds that only grow. */
  monotonic?: () => number
  /** How waiting for the chain is done; injected by tests. */
  wait?: WaitOptions
  /** Told of what went wrong with one channel while others went on. */
  onWarning?: (message: string, error: unknown) => void
}

export interface TreasuryStatus {
  channels: ChannelStatus[]
  balances: Balances
  /** Where the key is that signs for client channels without a key of their client's. */
  delegatedKey: DelegatedKeyPlace
}

/**
 * The gateway's money on the chain. The ledger is the plan book: a channel goes into it, with parameters and deposit
 * 0, before anything is sent, and its deposit is credited only as it was read back. So every step can be repeated:
 * after a crash the next start looks at chain and ledger and goes on from there.
 */
export class Treasury {
  readonly keys: TreasuryKeys
  readonly #chain: TreasuryOptions['chain']
  readonly #ledger: Ledger
  readonly #terms: TreasuryTerms
  readonly #sightings: Sightings
  readonly #watcher: Watcher
  readonly #desk: ChannelDesk
  readonly #openings: Openings
  readonly #clients: ClientChannels
  readonly #workers: WorkerChannels
  readonly #warn: (message: string, error: unknown) => void
  #tail: Promise<unknown> = Promise.resolve()

  constructor(options: TreasuryOptions) {
    const { chain, keys, ledger, onWarning } = options
    if (chain.globalId !== keys.globalId) {
      throw new TreasuryError('ERR_TREASURY_KEY', `keys of network ${keys.globalId}, chain ${chain.globalId}`)
    }
    this.keys = keys
    this.#chain = chain
    this.#ledger = ledger
    const terms = { ...DEFAULT_TERMS, ...options.terms }
    const { now = Date.now, monotonic = () => performance.now(), wait = {} } = options
    this.#terms = terms
    const settler = new Settler({ chain, keys, ledger, terms, now, monotonic, wait })
    const sightings = new Sightings(terms.outageSeconds, monotonic)
    this.#warn = onWarning ?? (() => {})
    this.#sightings = sightings
    const desk = new ChannelDesk({ chain, keys, ledger, terms, settler, sightings })
    const openings = new Openings({ chain, keys, ledger, terms, desk })
    const alone = <T>(step: () => Promise<T>) => this.#alone(step)
    this.#desk = desk
    this.#openings = openings
    this.#clients = new ClientChannels({ keys, ledger, desk, settler, alone })
    this.#workers = new WorkerChannels({ keys, ledger, terms, desk, openings, alone, monotonic })
    this.#watcher = new Watcher({
      ledger,
      desk,
      settler,
      sightings,
      isOthers: (record) => isOthers(record, keys.payer.address),
      onWarning: this.#warn,
      alone,
      everyMs: chain.instant === true ? 0 : terms.lookSeconds * 1000,
      monotonic,
    })
  }

  /**
   * Makes everything ready to serve: brings the ledger up to the chain, and opens and funds the demonstration's client
   * channel when there is none open. May be repeated, and goes on after a crash where it stopped.
   *
   * @returns the client channel, open and funded
   */
  async setup(): Promise<ChannelRecord> {
    await this.#openings.retire()
    for (const record of await this.#ledger.channels()) {
      const { id, role, signer, state, deposited } = record
      // With another key than its channel's a voucher would be worth nothing, and replace one that is.
      if (signer === 'gateway' && this.keys.holds(role, paramsOf(record).voucherKey))
        this.keys.admit(id, role)
      if (state !== 'closed' && deposited > 0n) this.#sightings.expect(id)
    }
    // Others may have any number of channels here: nobody waits for a look at them before they are used.
    const all = this.#chain.instant === true
    await this.#watcher.look((record) => all || !isOthers(record, this.keys.payer.address))
    return await this.#alone(async () => {
      for (const record of await this.#ledger.channels()) {
        await this.#ledger.renewVoucher(record.id)
        await this.#clients.endClosing(record)
      }
      const record = await this.#openings.open('client', this.keys.payer, this.#terms.clientDeposit, {
        payee: this.keys.gateway.address,
        payeeKey: this.keys.releaseKey(),
      })
      await this.#openings.moveKeys(record.id)
      return record
    })
  }

  /**
   * The channel that pays a worker, opened if there is none for its payout address and key.
   *
   * @throws TreasuryError `ERR_TREASURY_PAYOUT`, `ERR_TREASURY_LIMIT`, `ERR_TREASURY_FUNDS`, `ERR_ROLLED_BACK` for a channel that is frozen
   */
  paymentFor(worker: Payee): Promise<Payment> {
    return this.#workers.paymentFor(worker)
  }

  /**
   * Judges a voucher that a worker shows, since the one that it was told of at its join is lower. One of ours that the
   * ledger does not know of proves that the ledger is not the newest: the channel is frozen.
   *
   * @returns why nothing can be paid by the channel; undefined when the ledger knows of so much
   */
  async checkVoucher(
    { ledgerChannel }: Pick<Payment, 'ledgerChannel'>,
    shown: { ceiling: bigint; signature: Uint8Array },
  ): Promise<string | undefined> {
    const reason = await this.#workers.checkVoucher(ledgerChannel, shown)
    if (reason !== undefined) {
      const error = new TreasuryError('ERR_ROLLED_BACK', reason)
      this.#warn(`a worker's voucher does not fit the ledger: ${reason}`, error)
    }
    return reason
  }

  /**
   * From now on ends the channels of workers that are gone (see `IdleChannels`); {@link sync} and {@link watch} count the
   * time.
   *
   * @param inUse ids of the channels of workers that are connected, and of requests that are not settled yet
   */
  endIdle(inUse: () => ReadonlySet<string>): void {
    this.#workers.endIdle(inUse)
  }

  /** The newest voucher of a channel; undefined while nothing was charged on it. */
  async voucherFor(channel: string): Promise<{ ceiling: bigint; signature: Uint8Array } | undefined> {
    const { ceiling, voucher } = await requireRecord(this.#ledger, channel)
    return voucher ? { ceiling, signature: voucher } : undefined
  }

  /** Every channel with what chain and ledger say, and where all the money is. */
  status(): Promise<TreasuryStatus> {
    return this.#alone(async () => {
      const records = await this.#ledger.channels()
      const channels = []
      for (const record of records) channels.push(await this.#desk.status(record))
      const balances = await readBalances(this.#chain, this.keys, records)
      return { channels, balances, delegatedKey: this.keys.delegated }
    })
  }

  /**
   * Takes what was charged so far on client channels into the gateway's wallet, and reads it back.
   *
   * @param channel only this one
   * @throws TreasuryError `ERR_TREASURY_NOT_OURS` for a worker's channel: its payee settles it
   */
  async settle(channel?: string): Promise<TreasuryStatus> {
    await this.#clients.settle(channel)
    return await this.status()
  }

  /**
   * Closes client channels whose payer's wallet is here: no new reservations from the call on; when the running
   * requests are charged, the rest is settled and payer and payee close together.
   *
   * @param channel only this one
   * @param signal gives up waiting for running requests
   * @throws TreasuryError `ERR_TREASURY_BUSY` when given up; the channel stays closing, and this may be called again;
   *   `ERR_TREASURY_NOT_OURS` for a channel of another payer
   */
  async close(channel?: string, signal?: AbortSignal): Promise<TreasuryStatus> {
    await this.#clients.close(channel, signal)
    return await this.status()
  }

  /**
   * Brings the ledger up to the chain: credits deposits, notes settlements, tops up workers' channels that run low, and
   * settles the client channels that are worth it, at once those whose payers have started to close.
   */
  async sync(): Promise<void> {
    await this.#workers.countIdle()
    await this.#watcher.look()
  }

  /**
   * Does so every `intervalMs` until the returned function is called; on a chain that counts requests, with those
   * channels only that were not seen for `lookSeconds`. A failure is a warning, not an end.
   */
  watch(intervalMs: number): () => void {
    let running = false
    let stopped = false
    const lookAtAllDue = async () => {
      await this.#workers.countIdle()
      for (let more = true; more && !stopped; ) more = await this.lookAtDue()
    }
    const timer = setInterval(async () => {
      if (running) return
      running = true
      await lookAtAllDue().catch((error: unknown) => this.#warn('the channels could not be watched', error))
      running = false
    }, intervalMs)
    timer.unref()
    return () => {
      stopped = true
      clearInterval(timer)
    }
  }

  /** Looks at some of the channels whose time has come, the longest wait first. @returns whether more may be due */
  lookAtDue(): Promise<boolean> {
    return this.#watcher.lookAtDue()
  }

  /**
   * As {@link requireSeen}, after a look at a channel that was out of sight for too long because nobody used it.
   *
   * @throws TreasuryError `ERR_CHAIN_OUTAGE`
   */
  async demandSeen(channel: string): Promise<void> {
    // While the chain is away nobody waits for it in vain.
    if (this.#sightings.isLost(channel) && !this.#sightings.blind) await this.#watcher.lookAtOne(channel)
    this.#sightings.require(channel)
  }

  /**
   * Refuses a channel that was not seen on the chain for so long that its payer may be gone with the deposit.
   *
   * @throws TreasuryError `ERR_CHAIN_OUTAGE`; over as soon as the chain is there again
   */
  requireSeen(channel: string): void {
    this.#sightings.require(channel)
  }

  /** Whether the chain was out of sight for too long, so that nothing is served. */
  get blind(): boolean {
    return this.#sightings.blind
  }

  /** One thing at a time: decisions are taken from balances that another step would change. */
  #alone<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#tail.then(work, work)
    this.#tail = result.catch(() => undefined)
    return result
  }
}
