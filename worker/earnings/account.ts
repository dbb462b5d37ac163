import type { KeyObject } from 'node:crypto'
import { Address } from '@ton/core'
import { fromBase64 } from '../../attest/bytes.ts'
import type { SignedReceipt } from '../../attest/receipt/index.ts'
import { least, publicKeyObject, verifyVoucher } from '../../contracts/index.ts'
import type { Clock } from '../clock.ts'
import type { KeptReceipt } from '../enclave/index.ts'
import type { Log } from '../log.ts'
import type { GatewayMessageOf, PaymentTerms, TokenCounts, WorkerMessageOf } from '../protocol/index.ts'
import { LINK_LIMITS } from '../protocol/index.ts'
import type { ChannelBook } from './book.ts'
import { ChannelWatch, type CheckedPayment } from './channel-watch.ts'
import { EarningsError } from './errors.ts'
import { dayOf } from './history.ts'
import type { EarningsStore, StoredReceipt } from './store.ts'
import { minus } from './sums.ts'

/** Why a gateway gets no work: a code of ours, or that of what is wrong with its channel. */
export type Obstacle = 'ERR_CREDIT_LIMIT' | 'ERR_DEPOSIT_SPENT' | (string & {})

/** How an account stands after a change. */
export interface Standing {
  /** Undefined while work is taken. */
  obstacle: Obstacle | undefined
  /** Nanotons earned and not covered by a voucher, on all channels together. */
  owed: bigint
}

export interface AccountParts {
  store: EarningsStore
  book: ChannelBook
  /** Its name, under which receipts wait for it. */
  gateway: string
  /** Absent: nobody pays. */
  channel?: CheckedPayment | undefined
  /** The highest voucher that the gateway names. */
  voucher?: PaymentTerms['voucher'] | undefined
  /** Nanotons owed on the other channels of this worker, by whomever. */
  owedElsewhere: () => bigint
  /** Nanotons written off on the other channels: see {@link ChannelBook.writtenOff}. */
  writtenOffElsewhere: () => bigint
  /** Nanotons that may be owed, on all channels together, before work stops. */
  creditLimit: bigint
  clock: Clock
  log: Log
  /** Called with each receipt that is kept. */
  onKept?: ((receipt: KeptReceipt) => void) | undefined
  /** Called at the beginning, and whenever work stops or may go on again. */
  onStanding?: ((standing: Standing) => void) | undefined
}

/** What of a running request is counted so far. */
interface Running {
  charge: bigint
  tokens: TokenCounts
}

/** One gateway's account while its link lasts. */
export class Account {
  readonly #parts: AccountParts
  readonly #voucherKey: KeyObject | undefined
  readonly #running = new Map<string, Running>()
  /** Ours is higher than the one that the gateway named at the join. */
  readonly #proof: { ceiling: string; signature: string } | undefined
  readonly #watch: ChannelWatch | undefined
  #obstacle: Obstacle | undefined
  #closed = false

  constructor(parts: AccountParts) {
    this.#parts = parts
    const { book, channel, voucher, store, gateway, clock, log } = parts
    this.#voucherKey = channel && publicKeyObject(channel.params.voucherKey)
    const { ceiling, signature } = book.account
    if (channel && voucher) this.#take({ channel: channel.address, ...voucher })
    if (ceiling > BigInt(voucher?.ceiling ?? '0')) this.#proof = { ceiling: String(ceiling), signature }
    if (channel) this.#adoptUnseen()
    store.interrupt(gateway)
    this.#closeUnproven()
    this.#tell(true)
    this.#watch = channel && new ChannelWatch({ channel, book, clock, log, onLooked: () => this.#tell() })
  }

  /** Nanotons earned and not covered by a voucher, on all channels together; never below 0. */
  get owed(): bigint {
    const { book, channel, owedElsewhere } = this.#parts
    return book.owed + (channel ? owedElsewhere() : 0n)
  }

  /** Whether work may go on: the debt is within its limit and the deposit can pay for it. */
  get creditworthy(): boolean {
    return this.#judge() === undefined
  }

  /** How it stands. */
  get standing(): Standing {
    return { obstacle: this.#judge(), owed: this.owed }
  }

  /** Counts what was signed, and keeps what can be claimed of it until that is acknowledged. */
  keep(kept: KeptReceipt): void {
    const { requestId, receipt, final, workerCharge, model, tokens } = kept
    const { store, book, gateway, channel, clock } = this.#parts
    // The last word of a request whose link was lost. What was made of its row since then is not undone.
    if (this.#closed) {
      this.#proveLate(requestId, receipt)
      return
    }
    const before = this.#running.get(requestId)
    const earned = workerCharge - (before?.charge ?? 0n)
    const first = before === undefined && (workerCharge > 0n || tokens.promptTokens > 0)
    store.transaction(() => {
      store.putReceipt({
        ...{ requestId, gateway, channel: book.account.address, receipt, final, workerCharge },
        ...{ counted: workerCharge, interrupted: false, model },
      })
      store.history.addWork(dayOf(clock.now()), model, {
        requests: first ? 1 : 0,
        tokens: minus(tokens, before?.tokens),
        earned: channel ? earned : 0n,
      })
      if (earned > 0n) book.earn(earned)
    })
    if (final) this.#running.delete(requestId)
    else this.#running.set(requestId, { charge: workerCharge, tokens })
    this.#parts.onKept?.(kept)
    this.#tell()
  }

  /** Forgets receipts whose charges the gateway has committed. */
  acknowledge(requestIds: readonly string[]): void {
    const { store, gateway } = this.#parts
    store.transaction(() => {
      for (const requestId of requestIds) {
        const row = store.receipt(requestId)
        if (row?.gateway === gateway) this.#drop(row)
      }
    })
    this.#tell()
  }

  /**
   * Takes a voucher. A lower ceiling than the known one is ignored.
   * @throws EarningsError ERR_VOUCHER
   */
  voucher(voucher: Omit<GatewayMessageOf<'voucher'>, 'type'>): void {
    this.#take(voucher)
    this.#takeBack()
    this.#tell()
  }

  /** Writes what this turn of the event loop kept: to be called before anybody is told of it. */
  flush(): void {
    this.#parts.store.flush()
  }

  /**
   * The `held` messages to send after a join: all that can be claimed, the last message `done`. The first one shows our
   * highest voucher when the gateway has named a lower one: then its books are older than its signature.
   */
  held(): WorkerMessageOf<'held'>[] {
    const { store, gateway } = this.#parts
    const claims = store
      .receipts(gateway)
      .flatMap(({ requestId, receipt, final }) => (receipt ? [{ requestId, receipt, final }] : []))
    const messages: WorkerMessageOf<'held'>[] = []
    for (let at = 0; at === 0 || at < claims.length; at += LINK_LIMITS.maxHeld) {
      messages.push({
        type: 'held',
        receipts: claims.slice(at, at + LINK_LIMITS.maxHeld),
        done: at + LINK_LIMITS.maxHeld >= claims.length,
        ...(at === 0 && this.#proof && { voucher: this.#proof }),
      })
    }
    return messages
  }

  /** The link is gone. */
  close(): void {
    this.#closed = true
    this.#watch?.close()
  }

  #proveLate(requestId: string, receipt: SignedReceipt | undefined): void {
    const { store } = this.#parts
    const row = store.receipt(requestId)
    if (row && receipt) store.transaction(() => store.putReceipt({ ...row, receipt }))
  }

  /** Of a former link's requests, those of which nothing can be claimed: they were paid for by now, or never will be. */
  #closeUnproven(): void {
    const { store, gateway } = this.#parts
    const rows = store.receipts(gateway).filter(({ receipt }) => receipt === undefined)
    if (rows.length === 0) return
    store.transaction(() => {
      for (const row of rows) this.#drop(row)
    })
  }

  #drop(row: StoredReceipt): void {
    const { store, channel } = this.#parts
    store.dropReceipt(row.requestId)
    if (channel?.address === row.channel && row.interrupted) this.#closeCut(row)
  }

  #take({ channel, ceiling, signature }: Omit<GatewayMessageOf<'voucher'>, 'type'>): void {
    const { channel: checked, book } = this.#parts
    const key = this.#voucherKey
    if (!checked || !key || channel !== checked.address) {
      throw new EarningsError('ERR_VOUCHER', 'the voucher is for another channel')
    }
    const amount = BigInt(ceiling)
    const terms = { globalId: checked.globalId, channel: Address.parseRaw(channel), ceiling: amount }
    if (!verifyVoucher(key, terms, fromBase64(signature))) {
      throw new EarningsError('ERR_VOUCHER', 'the voucher is not signed by the key of the channel')
    }
    book.raise(amount, signature)
  }

  /**
   * A file that was lost, or put back from an older copy, must not turn what was paid before into credit for later:
   * what nothing in it accounts for counts as earned.
   */
  #adoptUnseen(): void {
    const { store, book, clock, log } = this.#parts
    const unseen = book.surplus
    if (unseen <= 0n) return
    store.transaction(() => {
      store.history.addWork(dayOf(clock.now()), '', { earned: unseen })
      book.earn(unseen)
    })
    const fields = { code: 'ERR_EARNINGS_BEHIND', channel: book.account.address, nanotons: String(unseen) }
    if (!book.known) log.info(fields, 'the channel has paid more than this new file of earnings saw')
    else log.warn(fields, 'the file of earnings is older than what was paid: is it a copy that was put back?')
  }

  /**
   * A request that a lost link cut short may have been charged by an earlier receipt than the last one: what is still
   * unpaid of it is given up, or every lost link would eat into the credit for ever. What payments do not make good of it
   * stays within one credit limit on all channels together: a gateway that cuts links on purpose gains no more than one that
   * does not pay, and one that pays is not left without work in the end by the crashes of years.
   */
  #closeCut({ requestId, counted, model }: StoredReceipt): void {
    const { book, store, creditLimit, writtenOffElsewhere, clock, log } = this.#parts
    const loss = least(counted, book.owed, creditLimit - book.writtenOff - writtenOffElsewhere())
    if (loss <= 0n) return
    log.info({ request: requestId, nanotons: String(loss) }, 'unpaid part of a cut request given up')
    book.forgive(loss)
    store.history.addWork(dayOf(clock.now()), model, { forgiven: loss })
  }

  /** What was given up and is paid all the same, by a gateway that settled the request after we had joined again. */
  #takeBack(): void {
    const { book, store, clock } = this.#parts
    const paid = least(book.surplus, book.account.forgiven)
    if (paid <= 0n) return
    book.forgive(-paid)
    store.history.addWork(dayOf(clock.now()), '', { forgiven: -paid })
  }

  #judge(): Obstacle | undefined {
    const { book, channel, creditLimit } = this.#parts
    if (!channel) return undefined
    if (this.#watch?.refused !== undefined) return this.#watch.refused
    if (this.owed > creditLimit) return 'ERR_CREDIT_LIMIT'
    return book.account.earned >= book.account.deposited ? 'ERR_DEPOSIT_SPENT' : undefined
  }

  /** Says so when work stops and when it may go on; `always`, how it stands at the beginning. */
  #tell(always = false): void {
    const standing = this.standing
    const { obstacle, owed } = standing
    const changed = obstacle !== this.#obstacle
    this.#obstacle = obstacle
    const fields = { code: obstacle, owed: String(owed) }
    if (changed && obstacle === undefined)
      this.#parts.log.info(fields, 'the gateway is good for more work again')
    else if (changed) this.#parts.log.warn(fields, 'no work is taken until the gateway pays')
    if (changed || always) this.#parts.onStanding?.(standing)
  }
}
