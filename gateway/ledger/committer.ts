import type { Book, BookReservation } from './book.ts'
import { duplicate } from './book.ts'
import type { Connection } from './connection.ts'
import { LedgerError } from './errors.ts'
import type { ChargeRequest, ChargeResult, LedgerOptions } from './types.ts'
import type {
  AssignRow,
  Batch,
  BatchReply,
  Command,
  CommandReply,
  EndingRow,
  Query,
  QueryReply,
  VoucherRow,
} from './wire.ts'

/** One thing that waits for the next commit. */
type Work =
  | { kind: 'reserve'; reservation: BookReservation }
  | { kind: 'assign'; row: AssignRow }
  | { kind: 'charge'; reservation: BookReservation; request: ChargeRequest }
  | { kind: 'release'; reservation: BookReservation; reason: string }
  | { kind: 'renew'; channel: string }
  | { kind: 'command'; command: Command }
  | { kind: 'query'; query: Query }

type CommitOptions = Pick<LedgerOptions, 'now' | 'signVoucher' | 'onWarning'>

interface Item {
  work: Work
  /** Gets what the batch led to for this item. */
  resolve: (outcome: unknown) => void
  reject: (error: Error) => void
}

/**
 * Group commit: whatever is asked while one batch is being fsynced makes up the next one, so that the number of
 * fsyncs follows the disk and not the number of requests.
 */
export class Committer {
  readonly #book: Book
  readonly #connection: Connection
  readonly #options: CommitOptions
  #queue: Item[] = []
  #underWay: Item[] = []
  #scheduled = false
  #dead: Error | undefined
  #idle: (() => void)[] = []

  constructor(book: Book, connection: Connection, options: CommitOptions) {
    this.#book = book
    this.#connection = connection
    this.#options = options
  }

  reserve(reservation: BookReservation): Promise<void> {
    return this.#add({ kind: 'reserve', reservation })
  }

  assign(row: AssignRow): Promise<void> {
    return this.#add({ kind: 'assign', row })
  }

  charge(reservation: BookReservation, request: ChargeRequest): Promise<ChargeResult> {
    return this.#add({ kind: 'charge', reservation, request })
  }

  release(reservation: BookReservation, reason: string): Promise<void> {
    return this.#add({ kind: 'release', reservation, reason })
  }

  /** Signs what a channel owes beyond its last ceiling, if its deposit has room for it. */
  renew(channel: string): Promise<void> {
    return this.#add({ kind: 'renew', channel })
  }

  command(command: Command): Promise<CommandReply> {
    return this.#add({ kind: 'command', command })
  }

  query(query: Query): Promise<QueryReply> {
    return this.#add({ kind: 'query', query })
  }

  /** Resolves when nothing waits any more. */
  async drained(): Promise<void> {
    if (this.#queue.length + this.#underWay.length === 0) return
    await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  /** Refuses everything that waits and everything to come. */
  fail(error: Error): void {
    this.#dead ??= error
    for (const item of [...this.#underWay.splice(0), ...this.#queue.splice(0)]) item.reject(error)
    this.#tellIdle()
  }

  #add<T>(work: Work): Promise<T> {
    if (this.#dead) return Promise.reject(this.#dead)
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ work, resolve: (outcome) => resolve(outcome as T), reject })
      this.#schedule()
    })
  }

  #schedule(): void {
    if (this.#scheduled || this.#underWay.length > 0 || this.#queue.length === 0) return
    this.#scheduled = true
    // Everything else that this tick still asks for shares the commit.
    setImmediate(() => {
      this.#scheduled = false
      if (!this.#dead) void this.#flush()
    })
  }

  async #flush(): Promise<void> {
    const items = this.#queue
    this.#queue = []
    this.#underWay = items
    const { batch, outcomes } = this.#assemble(items)
    const reply = await this.#connection.commit(batch)
    if (this.#dead) return
    this.#underWay = []
    this.#settle(items, outcomes, reply)
    this.#schedule()
    this.#tellIdle()
  }

  /** Applies charges and releases to the book and signs the vouchers that follow; from here on it must be written. */
  #assemble(items: readonly Item[]): { batch: Batch; outcomes: Map<Item, ChargeResult> } {
    const batch = emptyBatch(this.#options.now())
    const touched = new Set<string>()
    const charges: [Item, BookReservation, ChargeRequest][] = []
    for (const item of items) {
      const { work } = item
      if (work.kind === 'reserve') {
        const { phase: _, ...row } = work.reservation
        batch.reserves.push(row)
        touched.add(row.channel)
      } else if (work.kind === 'charge') {
        this.#book.applyCharge(work.reservation, work.request)
        charges.push([item, work.reservation, work.request])
        touched.add(work.reservation.channel).add(work.request.workerChannel)
      } else if (work.kind === 'release') {
        this.#book.applyRelease(work.reservation)
        batch.releases.push({ ...ending(work.reservation), reason: work.reason })
        touched.add(work.reservation.channel)
      } else if (work.kind === 'renew') touched.add(work.channel)
      else if (work.kind === 'assign') batch.assigns.push(work.row)
      else if (work.kind === 'command') batch.commands.push(work.command)
      else batch.queries.push(work.query)
    }
    for (const channel of touched) this.#sign(channel, batch.vouchers)
    batch.expected = this.#book.expect(touched)
    const outcomes = new Map<Item, ChargeResult>()
    for (const [item, reservation, request] of charges) {
      const result = this.#result(reservation, request)
      const { clientCeiling, workerCeiling, workerOwed } = result
      const workerId = request.workerId ?? reservation.worker.id
      batch.charges.push({
        ...request,
        ...ending(reservation),
        workerId,
        clientCeiling,
        workerCeiling,
        workerOwed,
      })
      outcomes.set(item, result)
    }
    return { batch, outcomes }
  }

  /** One signature per channel and batch: the highest ceiling covers every charge in it. */
  #sign(id: string, vouchers: VoucherRow[]): void {
    const channel = this.#book.channel(id)
    if (channel.signer === 'client' || channel.frozen !== null) return
    const covered = channel.charged <= channel.deposited
    const ceiling = covered ? channel.charged : channel.deposited
    if (ceiling <= channel.ceiling) return
    try {
      const signature = this.#options.signVoucher(id, ceiling)
      if (signature.length !== 64) {
        throw new LedgerError('ERR_LEDGER_INPUT', `a voucher has 64 bytes, not ${signature.length}`)
      }
      vouchers.push({ channel: id, ceiling, signature })
      channel.ceiling = ceiling
      channel.voucher = signature
    } catch (error) {
      this.#options.onWarning?.(
        `the voucher of channel ${id} could not be signed: its ceiling stays behind`,
        error,
      )
    }
  }

  #result(
    reservation: BookReservation,
    { clientCharge, workerCharge, workerChannel }: ChargeRequest,
  ): ChargeResult {
    const client = this.#book.channel(reservation.channel)
    const worker = this.#book.channel(workerChannel)
    return {
      clientCharge,
      workerCharge,
      clientCeiling: client.ceiling,
      clientVoucher: client.voucher,
      workerCeiling: worker.ceiling,
      workerVoucher: worker.voucher,
      workerOwed: worker.charged - worker.ceiling,
    }
  }

  #settle(items: readonly Item[], outcomes: Map<Item, ChargeResult>, reply: BatchReply): void {
    const duplicates = new Set(reply.duplicates)
    const commands = reply.commands.values()
    const queries = reply.queries.values()
    for (const item of items) {
      const { work } = item
      if (work.kind === 'reserve') this.#acknowledge(item, work.reservation, duplicates)
      else if (work.kind === 'charge') item.resolve(outcomes.get(item))
      else if (work.kind === 'command') settleWith(item, commands.next().value)
      else if (work.kind === 'query') settleWith(item, queries.next().value)
      else item.resolve(undefined)
    }
  }

  #acknowledge(item: Item, reservation: BookReservation, duplicates: ReadonlySet<string>): void {
    if (duplicates.has(reservation.requestId)) {
      this.#book.dropReservation(reservation)
      item.reject(duplicate(reservation.requestId))
    } else {
      reservation.phase = 'open'
      item.resolve(undefined)
    }
  }

  #tellIdle(): void {
    if (this.#queue.length + this.#underWay.length > 0) return
    for (const tell of this.#idle.splice(0)) tell()
  }
}

function ending({ seq, requestId, channel, maxCharge }: BookReservation): EndingRow {
  return { seq, requestId, channel, maxCharge }
}

function settleWith(item: Item, reply: CommandReply | QueryReply): void {
  if (reply === undefined || !('refused' in reply)) item.resolve(reply)
  else item.reject(new LedgerError(reply.refused.code, reply.refused.message))
}

function emptyBatch(at: number): Batch {
  return {
    at,
    commands: [],
    reserves: [],
    assigns: [],
    charges: [],
    releases: [],
    vouchers: [],
    expected: [],
    queries: [],
  }
}
