import type { KeyObject } from 'node:crypto'
import { Address } from '@ton/core'
import { fromBase64 } from '../../attest/bytes.ts'
import { type ChannelParams, publicKeyObject, verifyVoucher } from '../../contracts/index.ts'
import type { Clock } from '../clock.ts'
import type { KeptReceipt } from '../enclave/index.ts'
import { codeOf, type Log } from '../log.ts'
import type { GatewayMessageOf, PaymentTerms, TokenCounts, WorkerMessageOf } from '../protocol/index.ts'
import { LINK_LIMITS } from '../protocol/index.ts'
import type { ChannelBook, SeenOnChain } from './book.ts'
import { EarningsError } from './errors.ts'
import { dayOf } from './history.ts'
import type { EarningsStore, StoredReceipt } from './store.ts'
import { larger, least, minus } from './sums.ts'

/** Milliseconds between two looks at the channel on the chain. */
const RECHECK_MS = 60_000

/** Why a gateway gets no work: a code of ours, or that of what is wrong with its channel. */
export type Obstacle = 'ERR_CREDIT_LIMIT' | 'ERR_DEPOSIT_SPENT' | (string & {})

/** How an account stands after a change. */
export interface Standing {
  /** Undefined while work is taken. */
  obstacle: Obstacle | undefined
  /** Nanotons earned and not covered by a voucher. */
  owed: bigint
}

/** A channel that was looked at on the chain. */
export interface CheckedPayment {
  params: ChannelParams
  globalId: number
  /** Raw. */
  address: string
  /** Looks again. @throws ContractsError when it is no longer one to give credit against */
  look: () => Promise<SeenOnChain>
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
  /** Nanotons that may be owed before work stops. */
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
  counted: bigint
  tokens: TokenCounts
}

/** One gateway's account while its link lasts. */
export class Account {
  readonly #parts: AccountParts
  readonly #voucherKey: KeyObject | undefined
  readonly #running = new Map<string, Running>()
  /** Ours is higher than the one that the gateway named at the join. */
  readonly #proof: { ceiling: string; signature: string } | undefined
  /** What the last look at the channel found against it. */
  #refused: string | undefined
  #obstacle: Obstacle | undefined
  #cancelTimer: () => void = () => {}

  constructor(parts: AccountParts) {
    this.#parts = parts
    const { book, channel, voucher, store, gateway } = parts
    this.#voucherKey = channel && publicKeyObject(channel.params.voucherKey)
    const { ceiling, signature } = book.account
    if (channel && voucher) this.#take({ channel: channel.address, ...voucher })
    if (ceiling > BigInt(voucher?.ceiling ?? '0')) this.#proof = { ceiling: String(ceiling), signature }
    if (channel) this.#adoptUnseen()
    store.interrupt(gateway)
    this.#tell(true)
    this.#scheduleCheck()
  }

  /** Nanotons earned and not covered by a voucher; never below 0. */
  get owed(): bigint {
    return this.#parts.book.owed
  }

  /** Whether work may go on: the debt is within its limit and the deposit can pay for it. */
  get creditworthy(): boolean {
    return this.#judge() === undefined
  }

  /** How it stands. */
  get standing(): Standing {
    return { obstacle: this.#judge(), owed: this.owed }
  }

  /** Keeps a receipt until it is acknowledged, and counts it. */
  keep(kept: KeptReceipt): void {
    const { requestId, receipt, final, workerCharge, interrupted, model, tokens } = kept
    const { store, book, gateway, channel, clock } = this.#parts
    const before = this.#running.get(requestId)
    const counted = before?.counted ?? 0n
    // What was signed after the link was lost may never have arrived: it is claimed, but no reason to stop working.
    const now = interrupted ? counted : larger(counted, workerCharge)
    const first = before === undefined && (workerCharge > 0n || tokens.promptTokens > 0)
    store.transaction(() => {
      store.putReceipt({
        ...{ requestId, gateway, channel: book.account.address, receipt, final, workerCharge },
        ...{ counted: now, interrupted, model },
      })
      store.history.addWork(dayOf(clock.now()), model, {
        requests: first ? 1 : 0,
        tokens: minus(tokens, before?.tokens),
        earned: channel ? workerCharge - (before?.charge ?? 0n) : 0n,
      })
      if (now !== counted) book.earn(now - counted)
    })
    if (final) this.#running.delete(requestId)
    else this.#running.set(requestId, { charge: workerCharge, counted: now, tokens })
    this.#parts.onKept?.(kept)
    this.#tell()
  }

  /** Forgets receipts whose charges the gateway has committed. */
  acknowledge(requestIds: readonly string[]): void {
    const { store, gateway, channel } = this.#parts
    store.transaction(() => {
      for (const requestId of requestIds) {
        const row = store.receipt(requestId)
        if (row?.gateway !== gateway) continue
        store.dropReceipt(requestId)
        if (channel?.address === row.channel && row.interrupted) this.#closeCut(row)
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
    this.#tell()
  }

  /** Writes what this turn of the event loop kept: to be called before anybody is told of it. */
  flush(): void {
    this.#parts.store.flush()
  }

  /**
   * The `held` messages to send after a join: everything that waits, the last message `done`. The first one shows our
   * highest voucher when the gateway has named a lower one: then its books are older than its signature.
   */
  held(): WorkerMessageOf<'held'>[] {
    const { store, gateway } = this.#parts
    const rows = store.receipts(gateway)
    const messages: WorkerMessageOf<'held'>[] = []
    for (let at = 0; at === 0 || at < rows.length; at += LINK_LIMITS.maxHeld) {
      const page = rows.slice(at, at + LINK_LIMITS.maxHeld)
      messages.push({
        type: 'held',
        receipts: page.map(({ requestId, receipt, final }) => ({ requestId, receipt, final })),
        done: at + LINK_LIMITS.maxHeld >= rows.length,
        ...(at === 0 && this.#proof && { voucher: this.#proof }),
      })
    }
    return messages
  }

  close(): void {
    this.#cancelTimer()
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
    const { store, book, gateway, clock, log } = this.#parts
    const waiting = store.receipts(gateway).filter(({ channel }) => channel === book.account.address)
    const uncounted = waiting.reduce((sum, row) => sum + row.workerCharge - row.counted, 0n)
    const unseen = book.surplus - uncounted
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
   * A request that a lost link cut short may have been charged by an earlier receipt than the last one. What was paid of
   * the part that did not count yet counts now. What is still unpaid of the part that did is given up, or every lost
   * link would eat into the credit for ever; all of it together stays within the credit limit, so a gateway that cuts
   * links on purpose gains no more than one that does not pay.
   */
  #closeCut({ requestId, workerCharge, counted, model }: StoredReceipt): void {
    const { book, store, creditLimit, clock, log } = this.#parts
    const late = workerCharge - counted
    const paid = least(late, book.surplus)
    if (paid > 0n) book.earn(paid)
    const loss = least(counted, book.owed, creditLimit - book.account.forgiven)
    if (loss > 0n) {
      log.info({ request: requestId, nanotons: String(loss) }, 'unpaid part of a cut request given up')
      book.forgive(loss)
    }
    const forgiven = late - paid + larger(loss, 0n)
    if (forgiven > 0n) store.history.addWork(dayOf(clock.now()), model, { forgiven })
  }

  #judge(): Obstacle | undefined {
    const { book, channel, creditLimit } = this.#parts
    if (!channel) return undefined
    if (this.#refused !== undefined) return this.#refused
    if (book.owed > creditLimit) return 'ERR_CREDIT_LIMIT'
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

  #scheduleCheck(): void {
    if (!this.#parts.channel) return
    this.#cancelTimer = this.#parts.clock.after(RECHECK_MS, () => void this.#recheck())
  }

  async #recheck(): Promise<void> {
    const { channel, book, log } = this.#parts
    if (!channel) return
    try {
      book.see(await channel.look())
      this.#refused = undefined
    } catch (error) {
      const code = codeOf(error)
      // An unreachable chain says nothing about the channel; the credit limit bounds what can be lost meanwhile.
      if (code !== 'ERR_CHAIN_UNREACHABLE') this.#refused = code
      log.warn({ code }, 'channel check failed')
    }
    this.#tell()
    this.#scheduleCheck()
  }
}
