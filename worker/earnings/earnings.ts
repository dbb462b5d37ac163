import type { KeyObject } from 'node:crypto'
import { Address } from '@ton/core'
import { fromBase64 } from '../../attest/bytes.ts'
import {
  CHANNEL_CODE_HASH,
  type Chain,
  ChannelClient,
  type ChannelParams,
  channelAddress,
  channelParamsFromJson,
  publicKeyObject,
  verifyVoucher,
} from '../../contracts/index.ts'
import type { Clock } from '../clock.ts'
import type { KeptReceipt } from '../enclave/index.ts'
import { codeOf, type Log } from '../log.ts'
import type { GatewayMessageOf, PaymentTerms, WorkerMessageOf } from '../protocol/index.ts'
import { LINK_LIMITS } from '../protocol/index.ts'
import { EarningsError } from './errors.ts'
import { type ChannelAccount, EarningsStore, type StoredReceipt } from './store.ts'

/** Milliseconds between two looks at the channel on the chain. */
const RECHECK_MS = 60_000
/** The account of receipts for which nobody pays. */
const UNPAID = 'unpaid'

export interface EarningsOptions {
  /** SQLite file, or `:memory:`. */
  file: string
  /** Nanotons that a gateway may owe before it gets no more work. */
  creditLimit: bigint
  /** Where to look channels up; without it only unpaid work is possible. */
  chain?: Chain
  /** Raw address and Ed25519 key (32 bytes) that a channel has to name. */
  payee?: { address: string; key?: Uint8Array }
  /** Work for gateways that offer no channel. */
  unpaid: boolean
  clock: Clock
  log: Log
  /** Called with each receipt that is kept. */
  onKept?: (receipt: KeptReceipt) => void
}

/** What the worker has with one gateway: its channel checked, its debt counted. */
export class Earnings {
  readonly #options: EarningsOptions
  readonly #store: EarningsStore

  constructor(options: EarningsOptions) {
    this.#options = options
    this.#store = new EarningsStore(options.file)
  }

  /** The key to name as `payoutKey`, hex. */
  get payoutKey(): string | undefined {
    const key = this.#options.payee?.key
    return key && Buffer.from(key).toString('hex')
  }

  /**
   * Checks what a gateway offers as payment, on the chain, before any work is done for it.
   * @param gateway its name, under which receipts wait for it
   * @throws EarningsError, ContractsError
   */
  async account(gateway: string, payment: PaymentTerms | null): Promise<Account> {
    if (payment === null) {
      if (!this.#options.unpaid) {
        throw new EarningsError(
          'ERR_UNPAID',
          'the gateway offers no channel; start the worker with --unpaid to accept that',
        )
      }
      return new Account(this.#options, this.#store, gateway)
    }
    const channel = await this.#check(payment)
    return new Account(this.#options, this.#store, gateway, channel, payment.voucher)
  }

  close(): void {
    this.#store.close()
  }

  async #check(payment: PaymentTerms): Promise<CheckedPayment> {
    const { chain, payee } = this.#options
    if (!chain) throw terms('this worker has no chain to look the channel up on; set --chain-url')
    if (payment.globalId !== chain.globalId) throw terms('the channel is on another network')
    if (payment.codeHash !== CHANNEL_CODE_HASH) throw terms('the channel has other code than ours')
    const params = channelParamsFromJson(payment.params)
    if (channelAddress(params).toRawString() !== payment.channel) {
      throw terms('the channel address does not follow from its parameters')
    }
    const checked = await checkOnChain(params, chain, payee)
    return { params, globalId: chain.globalId, address: payment.channel, deposited: checked.deposited }
  }
}

interface CheckedPayment {
  params: ChannelParams
  globalId: number
  /** Raw. */
  address: string
  deposited: bigint
}

/** One gateway's account while its link lasts. */
export class Account {
  readonly #options: EarningsOptions
  readonly #store: EarningsStore
  readonly #gateway: string
  readonly #channel: CheckedPayment | undefined
  readonly #voucherKey: KeyObject | undefined
  #state: ChannelAccount
  #deposited: bigint
  #usable = true
  #cancelTimer: () => void = () => {}

  constructor(
    options: EarningsOptions,
    store: EarningsStore,
    gateway: string,
    channel?: CheckedPayment,
    voucher?: PaymentTerms['voucher'],
  ) {
    this.#options = options
    this.#store = store
    this.#gateway = gateway
    this.#channel = channel
    this.#deposited = channel?.deposited ?? 0n
    const address = channel?.address ?? UNPAID
    this.#voucherKey = channel && publicKeyObject(channel.params.voucherKey)
    const known = store.account(address)
    this.#state = known ?? { address, earned: 0n, ceiling: 0n, signature: '', forgiven: 0n }
    if (channel && voucher) this.voucher({ type: 'voucher', channel: channel.address, ...voucher })
    // A file that was lost must not turn what was paid before into credit for later.
    if (!known) this.#update({ earned: this.#state.ceiling })
    store.interrupt(gateway)
    this.#scheduleCheck()
  }

  /** Nanotons earned and not covered by a voucher; never below 0. */
  get owed(): bigint {
    const { earned, ceiling } = this.#state
    return earned > ceiling ? earned - ceiling : 0n
  }

  /** Whether work may go on: the debt is within its limit and the deposit can pay for it. */
  get creditworthy(): boolean {
    if (!this.#channel) return true
    return this.#usable && this.owed <= this.#options.creditLimit && this.#state.earned < this.#deposited
  }

  /** Keeps a receipt until it is acknowledged, and counts it. */
  keep(kept: KeptReceipt): void {
    const { requestId, receipt, final, workerCharge, interrupted } = kept
    this.#store.transaction(() => {
      const before = this.#store.receipt(requestId)
      const counted = before?.counted ?? 0n
      // What was signed after the link was lost may never have arrived: it is claimed, but no reason to stop working.
      const now = interrupted ? counted : max(counted, workerCharge)
      this.#store.putReceipt({
        requestId,
        gateway: this.#gateway,
        channel: this.#state.address,
        receipt,
        final,
        workerCharge,
        counted: now,
        interrupted,
      })
      if (now !== counted) this.#update({ earned: this.#state.earned + now - counted })
    })
    this.#options.onKept?.(kept)
  }

  /** Forgets receipts whose charges the gateway has committed. */
  acknowledge(requestIds: readonly string[]): void {
    this.#store.transaction(() => {
      for (const requestId of requestIds) {
        const row = this.#store.receipt(requestId)
        if (row?.gateway !== this.#gateway) continue
        this.#store.dropReceipt(requestId)
        if (row.channel === this.#state.address && row.interrupted) this.#forgive(row)
      }
    })
  }

  /**
   * Takes a voucher. A lower ceiling than the known one is ignored.
   * @throws EarningsError ERR_VOUCHER
   */
  voucher({
    channel,
    ceiling,
    signature,
  }: Omit<GatewayMessageOf<'voucher'>, 'type'> & { type: 'voucher' }): void {
    const checked = this.#channel
    const key = this.#voucherKey
    if (!checked || !key || channel !== checked.address) {
      throw new EarningsError('ERR_VOUCHER', 'the voucher is for another channel')
    }
    const amount = BigInt(ceiling)
    const terms = { globalId: checked.globalId, channel: Address.parseRaw(channel), ceiling: amount }
    if (!verifyVoucher(key, terms, fromBase64(signature))) {
      throw new EarningsError('ERR_VOUCHER', 'the voucher is not signed by the key of the channel')
    }
    if (amount <= this.#state.ceiling) return
    this.#store.transaction(() => this.#update({ ceiling: amount, signature }))
  }

  /** Writes what this turn of the event loop kept: to be called before anybody is told of it. */
  flush(): void {
    this.#store.flush()
  }

  /** The `held` messages to send after a join: everything that waits, the last message `done`. */
  held(): WorkerMessageOf<'held'>[] {
    const rows = this.#store.receipts(this.#gateway)
    const messages: WorkerMessageOf<'held'>[] = []
    for (let at = 0; at === 0 || at < rows.length; at += LINK_LIMITS.maxHeld) {
      const page = rows.slice(at, at + LINK_LIMITS.maxHeld)
      messages.push({
        type: 'held',
        receipts: page.map(({ requestId, receipt, final }) => ({ requestId, receipt, final })),
        done: at + LINK_LIMITS.maxHeld >= rows.length,
      })
    }
    return messages
  }

  close(): void {
    this.#cancelTimer()
  }

  /**
   * A request that a lost link cut short may have been charged by an earlier receipt than the last one: what is still
   * unpaid of it is given up, or every lost link would eat into the credit for ever. All of it together stays within
   * the credit limit, so a gateway that cuts links on purpose gains no more than one that does not pay.
   */
  #forgive({ requestId, counted }: StoredReceipt): void {
    const left = this.#options.creditLimit - this.#state.forgiven
    const loss = least(counted, this.owed, left)
    if (loss <= 0n) return
    const nanotons = String(loss)
    this.#options.log.info({ request: requestId, nanotons }, 'unpaid part of a cut request given up')
    this.#update({ earned: this.#state.earned - loss, forgiven: this.#state.forgiven + loss })
  }

  #update(change: Partial<ChannelAccount>): void {
    this.#state = { ...this.#state, ...change }
    this.#store.putAccount(this.#state)
  }

  #scheduleCheck(): void {
    if (!this.#channel) return
    this.#cancelTimer = this.#options.clock.after(RECHECK_MS, () => void this.#recheck())
  }

  async #recheck(): Promise<void> {
    const { chain, payee, log } = this.#options
    if (!this.#channel || !chain) return
    try {
      this.#deposited = (await checkOnChain(this.#channel.params, chain, payee)).deposited
      this.#usable = true
    } catch (error) {
      const code = codeOf(error)
      // An unreachable chain says nothing about the channel; the credit limit bounds what can be lost meanwhile.
      if (code !== 'ERR_CHAIN_UNREACHABLE') this.#usable = false
      log.warn({ code }, 'channel check failed')
    }
    this.#scheduleCheck()
  }
}

function checkOnChain(params: ChannelParams, chain: Chain, payee: EarningsOptions['payee']) {
  return ChannelClient.check(params, chain, {
    ...(payee && { payee: Address.parseRaw(payee.address) }),
    ...(payee?.key && { payeeKey: payee.key }),
  })
}

function terms(message: string): EarningsError {
  return new EarningsError('ERR_PAYMENT_TERMS', message)
}

function least(first: bigint, ...rest: bigint[]): bigint {
  // biome-ignore lint/complexity/useMathMinMax: Math.min takes no bigint
  return rest.reduce((a, b) => (b < a ? b : a), first)
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b
}
