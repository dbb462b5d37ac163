import { ApiKeys } from './api-keys.ts'
import { Book, dayOf } from './book.ts'
import { ChannelBooks } from './channels.ts'
import { Committer } from './committer.ts'
import { Connection } from './connection.ts'
import { LedgerError } from './errors.ts'
import { checkCharge, checkCount, checkId, checkReserve, checkText } from './input.ts'
import { LogWatch } from './log-watch.ts'
import type {
  AuditReport,
  ChargeRequest,
  ChargeResult,
  LedgerOptions,
  LedgerPlace,
  OpenReservation,
  PriceCheck,
  ReceiptPage,
  ReserveRequest,
  StoredReceipt,
  WorkerRef,
} from './types.ts'
import type { PageQuery } from './verify/pages.ts'
import type { ReadPage, VerifyOptions, VerifyReport } from './verify/verify.ts'
import type { EndedRequest, LogReport } from './wire.ts'

/**
 * Who owes what: channels, API keys, reservations, charges, receipts and vouchers, in one SQLite file or PostgreSQL schema that
 * this process holds alone. Every method that changes something resolves after its commit has been fsynced.
 *
 * Rule of every client channel at every moment: charged + reserved ≤ deposited, and ≤ the client's voucher where the
 * client signs. No request is charged more than was
 * reserved for it, none is charged twice, and a voucher's ceiling passes neither what was charged nor the deposit.
 */
export class Ledger extends ChannelBooks {
  /** API keys, and the accounts of clients that sign for themselves. */
  readonly keys: ApiKeys
  readonly #book: Book
  readonly #committer: Committer
  readonly #connection: Connection
  readonly #log: LogWatch
  readonly #now: () => number
  readonly #charging = new Map<string, Promise<ChargeResult>>()
  #closed = false

  private constructor(
    connection: Connection,
    committer: Committer,
    book: Book,
    log: LogWatch,
    now: () => number,
  ) {
    super(book, committer)
    this.#connection = connection
    this.#log = log
    this.#committer = committer
    this.#book = book
    this.#now = now
    this.keys = new ApiKeys(book, committer, now)
  }

  /**
   * Opens the ledger, makes and migrates its file or tables as needed.
   *
   * @throws LedgerError `ERR_LEDGER_LOCKED` when another process has it open, `ERR_LEDGER_VERSION` when a newer
   *   program wrote it, `ERR_LEDGER_INPUT` when the PostgreSQL server may lose what it acknowledges
   */
  static async open(options: LedgerOptions): Promise<Ledger> {
    const dayStart = dayOf(options.now())
    let committer: Committer | undefined
    const { file, postgres, logLimit } = options
    const log = new LogWatch(options)
    const place: LedgerPlace = postgres === undefined ? { file } : { postgres }
    const onLost = (error: Error) => {
      ;(options.onFatal ?? endProcess)(error)
      committer?.fail(error)
    }
    const onLog = (report: LogReport) => log.heard(report)
    const connection = await Connection.open({ place, dayStart, logLimit }, { onLost, onLog })
    const book = new Book(connection.opening, dayStart)
    committer = new Committer(book, connection, options)
    return new Ledger(connection, committer, book, log, options.now)
  }

  /**
   * Holds `maxCharge` nanotons of the key's channel for a request.
   *
   * @throws LedgerError `ERR_INSUFFICIENT_FUNDS`, `ERR_DUPLICATE_REQUEST` (the id was ever used before),
   *   `ERR_CHANNEL_CLOSED`, `ERR_KEY_…` (a limit of the API key), `ERR_UNKNOWN_KEY`, `ERR_UNKNOWN_CHANNEL`,
   *   `ERR_LEDGER_CHECKPOINT` (see `full`)
   */
  async reserve(request: ReserveRequest): Promise<void> {
    const { durable } = await this.hold(request)
    await durable
  }

  /**
   * As `reserve`, but resolves as soon as the money is held back in memory. Until `durable` resolves the reservation may
   * be lost in a crash, so nobody may be told of anything that follows from it, and it can be neither charged nor released.
   *
   * @returns durable: rejects with `ERR_DUPLICATE_REQUEST` when the id was used before this process began
   * @throws LedgerError as `reserve`
   */
  async hold(request: ReserveRequest): Promise<{ readonly durable: Promise<void> }> {
    checkReserve(request)
    if (this.#log.full) throw this.#log.full
    const key = this.keys.cached(request.key) ?? (await this.keys.load(request.key))
    // Also of one that was revoked while it was read.
    if (!key || this.keys.isRevoked(request.key)) {
      throw new LedgerError('ERR_KEY_REVOKED', `API key ${request.key} is unknown or revoked`)
    }
    const durable = this.#committer.reserve(this.#book.reserve(request, key, this.#now()))
    // Whoever holds it looks at it later.
    durable.catch(() => {})
    return { durable }
  }

  /**
   * Whether a request that has to wait could be paid in the end, also when all others came to nothing. Holds nothing:
   * `hold` decides.
   *
   * @param request with the least that it may cost, nanotons
   * @throws LedgerError as `hold`, for a request that surely cannot
   */
  demandPayable(request: PriceCheck): void {
    this.#book.demandPayable(request, this.keys.cached(request.key), this.#now())
  }

  /** Notes that an open reservation's request now runs on another worker. */
  async assign(requestId: string, worker: WorkerRef): Promise<void> {
    checkId('worker.id', worker.id)
    checkId('worker.bootId', worker.bootId)
    const reservation = this.#book.find(requestId)
    if (!reservation) throw noReservation(requestId)
    reservation.worker = { id: worker.id, bootId: worker.bootId }
    await this.#committer.assign({
      seq: reservation.seq,
      requestId,
      workerId: worker.id,
      workerBoot: worker.bootId,
    })
  }

  /**
   * Charges a request by its receipt and ends its reservation: charge, release of the rest, receipt and both vouchers
   * are one commit. The same request again gives what its first charge gave, and changes nothing.
   *
   * @throws LedgerError `ERR_OVERCHARGE`, `ERR_NO_RESERVATION` (never reserved, or released), `ERR_UNKNOWN_CHANNEL`
   */
  charge(request: ChargeRequest): Promise<ChargeResult> {
    const underWay = this.#charging.get(request.requestId)
    if (underWay) return underWay
    const charging = this.#charge(request).finally(() => this.#charging.delete(request.requestId))
    this.#charging.set(request.requestId, charging)
    return charging
  }

  async #charge(request: ChargeRequest): Promise<ChargeResult> {
    checkCharge(request)
    const reservation = this.#book.find(request.requestId)
    if (!reservation) {
      const charge = (await this.#ended(request.requestId))?.charge
      if (charge) return charge
      throw noReservation(request.requestId)
    }
    this.#book.beginCharge(reservation, request)
    return await this.#committer.charge(reservation, request)
  }

  /**
   * Ends a reservation without a charge. Again, or after a charge, it changes nothing.
   *
   * @param reason a short code for the books, never text of a request
   * @returns how the request ended
   * @throws LedgerError `ERR_NO_RESERVATION` when the request was never reserved
   */
  async release(requestId: string, reason: string): Promise<'released' | 'charged'> {
    checkText('reason', reason, 200)
    const reservation = this.#book.find(requestId)
    if (reservation) {
      this.#book.beginRelease(reservation)
      await this.#committer.release(reservation, reason)
      return 'released'
    }
    const ended = await this.#ended(requestId)
    if (!ended) throw noReservation(requestId)
    return ended.state
  }

  /** Whether nothing is reserved: the log of the SQLite file cannot be written back, and has become too long. */
  get full(): boolean {
    return this.#log.full !== undefined
  }

  /** Requests that are neither charged nor released: after a restart, those whose receipts workers may still hold. */
  openReservations(): OpenReservation[] {
    return this.#book.openReservations().map(({ phase: _, seq: __, ...reservation }) => reservation)
  }

  /** The receipt that a request was charged by. */
  async receipt(requestId: string): Promise<StoredReceipt | undefined> {
    return (await this.#committer.query({ ask: 'receipt', requestId })) as StoredReceipt | undefined
  }

  /** Receipts of what a client's channel was charged for, in the order of charging. */
  async receipts(channel: string, { after, limit }: ReceiptPage): Promise<StoredReceipt[]> {
    checkCount('limit', limit, 1000)
    if (after !== undefined) checkId('after', after)
    this.#book.channel(channel)
    return (await this.#committer.query({ ask: 'receipts', channel, after, limit })) as StoredReceipt[]
  }

  /**
   * Adds everything up again from the entries.
   *
   * @throws LedgerError `ERR_AUDIT` on any difference
   */
  async audit(): Promise<AuditReport> {
    return (await this.#committer.query({ ask: 'audit' })) as AuditReport
  }

  /**
   * Replays every entry against receipts and vouchers, and the channels against the chain where that is given, a page
   * at a time: the ledger may be in use, and may be of any size.
   *
   * @returns what was looked at; every difference was told to `onDifference`
   * @throws the signal's reason when it is aborted before the end
   */
  async verify(options: VerifyOptions): Promise<VerifyReport> {
    const read = async (page: string, ask: object) =>
      await this.#committer.query({ ask: 'page', query: { page, ...ask } as PageQuery })
    // Loaded when it is needed: it knows receipts and contracts, of which the ledger itself knows nothing.
    const { Verification } = await import('./verify/verify.ts')
    return await new Verification(read as ReadPage, options).run()
  }

  /** Writes what waits, then gives the file back. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    await this.#committer.drained()
    this.#committer.fail(new LedgerError('ERR_LEDGER_CLOSED', 'the ledger is closed'))
    await this.#connection.close()
  }

  async #ended(requestId: string): Promise<EndedRequest | undefined> {
    checkId('requestId', requestId)
    return (await this.#committer.query({ ask: 'request', requestId })) as EndedRequest | undefined
  }
}

function noReservation(requestId: string): LedgerError {
  return new LedgerError('ERR_NO_RESERVATION', `request ${requestId} has no open reservation`)
}

/** Going on would be lying: what was acknowledged must be in the file, and the file can no longer be written. */
function endProcess(error: Error): void {
  process.stderr.write(`${error.message}\n`)
  process.exit(70)
}
