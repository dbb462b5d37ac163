import { Address } from '@ton/core'
import { toHex } from '../../attest/bytes.ts'
import { codeOf } from '../../attest/cli/process.ts'
import { checkVoucherKey, type WaitOptions } from '../../contracts/index.ts'
import type { PaymentTerms } from '../../worker/protocol/link.ts'
import type { ChannelRecord, Ledger } from '../ledger/index.ts'
import { type Balances, readBalances } from './balances.ts'
import { ChannelDesk, type ChannelStatus, requirePayer, type TreasuryChain } from './desk.ts'
import { TreasuryError } from './errors.ts'
import { IdleChannels } from './idle.ts'
import type { DelegatedKeyPlace, TreasuryKeys } from './keys.ts'
import { Openings } from './openings.ts'
import { judgeShownVoucher } from './rollback.ts'
import { Settler } from './settler.ts'
import { Sightings } from './sightings.ts'
import {
  DEFAULT_TERMS,
  isOthers,
  isPaidBy,
  paramsOf,
  parsePayout,
  paymentTerms,
  type TreasuryTerms,
} from './terms.ts'
import { Watcher } from './watcher.ts'

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

/** How the link pays a worker: the ledger's name of the channel, and what the worker is told of it. */
export interface Payment {
  ledgerChannel: string
  terms: PaymentTerms
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
  readonly #settler: Settler
  readonly #sightings: Sightings
  readonly #watcher: Watcher
  readonly #desk: ChannelDesk
  readonly #openings: Openings
  readonly #warn: (message: string, error: unknown) => void
  readonly #monotonic: () => number
  #idleChannels: IdleChannels | undefined
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
    this.#monotonic = monotonic
    this.#settler = settler
    this.#sightings = sightings
    this.#desk = new ChannelDesk({ chain, keys, ledger, terms, settler, sightings })
    this.#openings = new Openings({ chain, keys, ledger, terms, desk: this.#desk })
    this.#watcher = new Watcher({
      ledger,
      desk: this.#desk,
      settler,
      sightings,
      isOthers: (record) => isOthers(record, keys.payer.address),
      onWarning: this.#warn,
      alone: (step) => this.#alone(step),
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
        await this.#endClosing(record)
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
   * @param worker.payoutKey hex of the Ed25519 key with which the worker would agree to an early close; without one
   *   nobody can, and the channel ends by the challenge period only
   * @throws TreasuryError `ERR_TREASURY_PAYOUT`, `ERR_TREASURY_LIMIT`, `ERR_TREASURY_FUNDS`, `ERR_ROLLED_BACK` for a channel that is frozen
   */
  async paymentFor(worker: {
    payoutAddress: string
    workerId: string
    payoutKey?: string
  }): Promise<Payment> {
    const payee = parsePayout(worker.payoutAddress)
    const payeeKey = Buffer.from(worker.payoutKey ?? worker.workerId, 'hex')
    // Before anything is planned: no channel could be opened with such a key.
    checkVoucherKey(payeeKey)
    return await this.#alone(async () => {
      const wanted = { payee, payeeKey }
      const anyKey = worker.payoutKey === undefined
      const record = await this.#openings
        .open('worker', this.keys.gateway, this.#terms.workerDeposit, wanted, anyKey)
        .catch(async (error: unknown) => {
          const newcomer = `${payee.toRawString()} ${toHex(payeeKey)}`
          if (codeOf(error) === 'ERR_TREASURY_LIMIT') await this.#idleChannels?.makeRoom(newcomer)
          throw error
        })
      await this.#idleChannels?.touch(record)
      if (record.frozen !== null) {
        throw new TreasuryError('ERR_ROLLED_BACK', `channel ${record.id} is frozen: ${record.frozen}`)
      }
      return {
        ledgerChannel: record.id,
        terms: paymentTerms(await this.#desk.refill(record), this.keys.globalId),
      }
    })
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
    const { globalId } = this.keys
    const reason = await judgeShownVoucher(this.#ledger, globalId, ledgerChannel, shown)
    if (reason !== undefined) {
      const error = new TreasuryError('ERR_ROLLED_BACK', reason)
      this.#warn(`a worker's voucher does not fit the ledger: ${reason}`, error)
    }
    return reason
  }

  /** The newest voucher of a channel; undefined while nothing was charged on it. */
  async voucherFor(channel: string): Promise<{ ceiling: bigint; signature: Uint8Array } | undefined> {
    const { ceiling, voucher } = await this.#record(channel)
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
    await this.#alone(async () => this.#settler.settleNow(await this.#clientChannels(channel)))
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
    const { address } = this.keys.payer
    const all = await this.#clientChannels(channel)
    const records = channel === undefined ? all.filter((record) => isPaidBy(record, address)) : all
    for (const record of records) requirePayer(record, address)
    for (const { id } of records) await this.#ledger.setChannelState(id, 'closing')
    for (const { id } of records) await this.#idle(id, signal)
    await this.#alone(async () => {
      for (const { id } of records) await this.#desk.close(await this.#record(id))
    })
    return await this.status()
  }

  /**
   * Brings the ledger up to the chain: credits deposits, notes settlements, tops up workers' channels that run low, and
   * settles the client channels that are worth it, at once those whose payers have started to close.
   */
  async sync(): Promise<void> {
    await this.#countIdle()
    await this.#watcher.look()
  }

  /**
   * From now on ends the channels of workers that are gone: see {@link IdleChannels}. {@link sync} and {@link watch} count
   * the time.
   *
   * @param inUse ids of the channels of workers that are connected, and of requests that are not settled yet
   */
  endIdle(inUse: () => ReadonlySet<string>): void {
    const parts = { ledger: this.#ledger, terms: this.#terms, monotonic: this.#monotonic }
    this.#idleChannels = new IdleChannels({ ...parts, inUse })
  }

  /**
   * Does so every `intervalMs` until the returned function is called; on a chain that counts requests, with those
   * channels only that were not seen for `lookSeconds`. A failure is a warning, not an end.
   */
  watch(intervalMs: number): () => void {
    let running = false
    let stopped = false
    const lookAtAllDue = async () => {
      await this.#countIdle()
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

  /** Not while a worker is being told of its channel. */
  #countIdle(): Promise<void> {
    return this.#alone(async () => this.#idleChannels?.count())
  }

  /** A close of ours that a crash interrupted is ended, unless requests of the former process are still open. */
  async #endClosing(record: ChannelRecord): Promise<void> {
    if (record.role !== 'client' || record.state !== 'closing' || record.reserved > 0n) return
    if (isPaidBy(record, this.keys.payer.address)) await this.#desk.close(record)
  }

  async #idle(channel: string, signal?: AbortSignal): Promise<void> {
    try {
      await this.#ledger.idle(channel, signal)
    } catch (cause) {
      const { reserved } = await this.#record(channel)
      throw new TreasuryError(
        'ERR_TREASURY_BUSY',
        `channel ${channel} has requests running that hold ${reserved} nanotons: it takes no new ones; close it again`,
        { cause },
      )
    }
  }

  async #clientChannels(channel?: string): Promise<ChannelRecord[]> {
    if (channel === undefined) {
      return (await this.#ledger.channels()).filter(
        ({ role, state }) => role === 'client' && state !== 'closed',
      )
    }
    const record = await this.#record(parseChannel(channel))
    if (record.role === 'client') return [record]
    throw new TreasuryError(
      'ERR_TREASURY_NOT_OURS',
      `channel ${record.id} pays a worker: its payee settles it`,
    )
  }

  async #record(channel: string): Promise<ChannelRecord> {
    const record = await this.#ledger.channelState(channel)
    if (record) return record
    throw new TreasuryError('ERR_TREASURY_CHANNEL', `channel ${channel} is not one of this gateway`)
  }
}

/** A channel's id from its address in any of TON's notations. */
function parseChannel(text: string): string {
  try {
    return Address.parse(text).toRawString()
  } catch {
    throw new TreasuryError('ERR_TREASURY_CHANNEL', 'channel: not an address of TON')
  }
}
