import { Address } from '@ton/core'
import {
  CHANNEL_CODE_HASH,
  type Chain,
  ChannelClient,
  type ChannelParams,
  channelAddress,
  channelParamsFromJson,
  larger,
} from '../../contracts/index.ts'
import type { Clock } from '../clock.ts'
import type { KeptReceipt } from '../enclave/index.ts'
import type { Log } from '../log.ts'
import type { PaymentTerms } from '../protocol/index.ts'
import { Account, type Standing } from './account.ts'
import { ChannelBook, type SeenOnChain } from './book.ts'
import type { CheckedPayment } from './channel-watch.ts'
import { EarningsError } from './errors.ts'
import { EarningsStore } from './store.ts'

/** The account of receipts for which nobody pays. */
const UNPAID = 'unpaid'

export interface EarningsOptions {
  /** SQLite file, or `:memory:`. */
  file: string
  /** Nanotons that a gateway may owe before it gets no more work. */
  creditLimit: bigint
  /** Where to look channels up; without it only unpaid work is possible. */
  chain?: Chain
  /** Raw address and Ed25519 key (32 bytes) that a channel has to name; without them only unpaid work is possible. */
  payee?: { address: string; key: Uint8Array }
  /** Work for gateways that offer no channel. */
  unpaid: boolean
  /** Requests whose token counts reach the file together; see History. Default 1. */
  tokenBatch?: number
  clock: Clock
  log: Log
  /** Called with each receipt that is kept. */
  onKept?: (receipt: KeptReceipt) => void
  /** Called for each account that is opened, and whenever work for it stops or may go on again. */
  onStanding?: (standing: Standing) => void
}

/** What the worker has with its gateways: channels checked, debts counted, vouchers kept. */
export class Earnings {
  readonly #options: EarningsOptions
  readonly #store: EarningsStore
  readonly #books = new Map<string, ChannelBook>()

  constructor(options: EarningsOptions) {
    this.#options = options
    this.#store = new EarningsStore(options.file, options.tokenBatch)
    this.books()
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
      return this.#open(gateway, UNPAID)
    }
    const channel = this.#terms(payment)
    const seen = await channel.look()
    const book = this.#book(channel.address)
    book.describe(gateway, JSON.stringify(payment.params))
    book.see(seen)
    return this.#open(gateway, channel.address, channel, payment.voucher)
  }

  /** The account of every channel that the file knows. */
  books(): ChannelBook[] {
    return this.#store.accounts().map(({ address }) => this.#book(address))
  }

  close(): void {
    this.#store.close()
  }

  #open(
    gateway: string,
    address: string,
    channel?: CheckedPayment,
    voucher?: PaymentTerms['voucher'],
  ): Account {
    const { creditLimit, clock, log, onKept, onStanding } = this.#options
    const book = this.#book(address)
    const owedElsewhere = () => this.#sumBeside(address, ({ owed }) => owed)
    const writtenOffElsewhere = () => this.#sumBeside(address, ({ writtenOff }) => larger(writtenOff, 0n))
    const parts = { store: this.#store, book, gateway, channel, voucher, owedElsewhere, writtenOffElsewhere }
    return new Account({ ...parts, creditLimit, clock, log, onKept, onStanding })
  }

  /** Over all other channels: a new channel, or a new name, must not be a way to new credit or to new indulgence. */
  #sumBeside(address: string, amount: (book: ChannelBook) => bigint): bigint {
    let sum = 0n
    for (const book of this.#books.values())
      if (book.account.address !== address && book.account.address !== UNPAID) sum += amount(book)
    return sum
  }

  #book(address: string): ChannelBook {
    const book = this.#books.get(address) ?? new ChannelBook(this.#store, this.#options.clock, address)
    this.#books.set(address, book)
    return book
  }

  /** What can be said of a channel without looking at it. */
  #terms(payment: PaymentTerms): CheckedPayment {
    const { chain, payee } = this.#options
    if (!chain || !payee) throw terms('this worker has no chain to look the channel up on; set --chain-url')
    if (payment.globalId !== chain.globalId) throw terms('the channel is on another network')
    if (payment.codeHash !== CHANNEL_CODE_HASH) throw terms('the channel has other code than ours')
    const params = channelParamsFromJson(payment.params)
    if (channelAddress(params).toRawString() !== payment.channel) {
      throw terms('the channel address does not follow from its parameters')
    }
    const look = () => lookAt(params, chain, payee)
    return { params, globalId: chain.globalId, address: payment.channel, look }
  }
}

async function lookAt(
  params: ChannelParams,
  chain: Chain,
  payee: { address: string; key: Uint8Array },
): Promise<SeenOnChain> {
  const expected = { payee: Address.parseRaw(payee.address), payeeKey: payee.key }
  const { deposited, settled } = await ChannelClient.check(params, chain, expected)
  return { deposited, settled, state: 'open' }
}

function terms(message: string): EarningsError {
  return new EarningsError('ERR_PAYMENT_TERMS', message)
}
