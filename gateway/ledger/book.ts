import { LedgerError, StaleCeilingError } from './errors.ts'
import type { ApiKey, ChannelRecord, ChargeRequest, PriceCheck, ReserveRequest } from './types.ts'
import type { ExpectedTotals, Opening, ReserveRow } from './wire.ts'

const DAY = 86_400_000

/** Start of the UTC day of a time in ms. */
export const dayOf = (time: number): number => time - (time % DAY)

/** A reservation on its way: only an `open` one, whose commit is acknowledged, can be charged or released. */
export interface BookReservation extends ReserveRow {
  phase: 'reserving' | 'open' | 'ending'
}

/** A channel in memory. `charged` and `reserved` run ahead of the file by the batch that is being written. */
export type BookChannel = ChannelRecord

/**
 * The ledger's sums in memory: every decision is taken here, in one thread and without waiting, which makes each
 * channel linearizable. Nothing is acknowledged before the file holds it, and a failed write ends the process, so
 * the book can never run on with something that the file does not know.
 */
export class Book {
  readonly channels = new Map<string, BookChannel>()
  readonly #open = new Map<string, BookReservation>()
  /** By key: charged and held for requests that began on `#day`. */
  readonly #spent = new Map<string, bigint>()
  readonly #waiting = new Set<{ channel: string; tell: () => void }>()
  #lastSeq: bigint
  #day: number

  constructor(opening: Opening, dayStart: number) {
    for (const channel of opening.channels) this.channels.set(channel.id, { ...channel })
    for (const reservation of opening.open)
      this.#open.set(reservation.requestId, { ...reservation, phase: 'open' })
    for (const { key, total } of opening.dayTotals) this.#spent.set(key, total)
    this.#lastSeq = opening.lastSeq
    this.#day = dayStart
  }

  /** The channel, or `ERR_UNKNOWN_CHANNEL`. */
  channel(id: string): BookChannel {
    const channel = this.channels.get(id)
    if (!channel) throw new LedgerError('ERR_UNKNOWN_CHANNEL', `channel ${id} is not in the ledger`)
    return channel
  }

  openReservations(): BookReservation[] {
    return [...this.#open.values()].filter((reservation) => reservation.phase === 'open')
  }

  /** The acknowledged reservation of a request, if it is neither charged nor released nor on its way there. */
  find(requestId: string): BookReservation | undefined {
    const reservation = this.#open.get(requestId)
    return reservation?.phase === 'open' ? reservation : undefined
  }

  /** Takes a reservation if every rule allows it. Nothing changes when it throws. */
  reserve(request: ReserveRequest, key: ApiKey, now: number): BookReservation {
    const channel = this.channel(request.channel)
    if (channel.role !== 'client' || key.channel !== channel.id) {
      throw new LedgerError('ERR_UNKNOWN_CHANNEL', `API key ${key.id} does not draw on channel ${channel.id}`)
    }
    if (this.#open.has(request.requestId)) throw duplicate(request.requestId)
    demandOpen(channel)
    this.#startDay(now)
    this.#checkKey(request, key, now)
    checkFunds(channel, request.maxCharge)
    this.#lastSeq += 1n
    const reservation: BookReservation = {
      seq: this.#lastSeq,
      requestId: request.requestId,
      channel: channel.id,
      key: key.id,
      worker: { id: request.worker.id, bootId: request.worker.bootId },
      maxCharge: request.maxCharge,
      maxWorkerCharge: request.maxWorkerCharge ?? request.maxCharge,
      createdAt: now,
      phase: 'reserving',
    }
    this.#open.set(request.requestId, reservation)
    channel.reserved += request.maxCharge
    this.#spend(reservation, request.maxCharge)
    return reservation
  }

  /**
   * Throws what `reserve` would, but for what other requests hold: that may come back before it is this one's turn.
   * Nothing changes.
   *
   * @param key absent where it is not at hand: its limits are looked at by `reserve`
   */
  demandPayable(request: PriceCheck, key: ApiKey | undefined, now: number): void {
    const channel = this.channel(request.channel)
    demandOpen(channel)
    this.#startDay(now)
    if (key) this.#checkKey(request, key, now, this.#heldToday(key.id))
    checkFunds(channel, request.maxCharge, channel.reserved)
  }

  /** The file refused the reservation: its request id was used before this process began. */
  dropReservation(reservation: BookReservation): void {
    this.#end(reservation, 0n)
  }

  /** Notes a client's voucher that the file holds; an older one that was overtaken changes nothing. */
  raiseCeiling(id: string, ceiling: bigint, signature: Uint8Array): void {
    const channel = this.channel(id)
    if (ceiling <= channel.ceiling) return
    channel.ceiling = ceiling
    channel.voucher = signature
  }

  /** Checks a charge against its reservation, and keeps any other outcome from it. */
  beginCharge(reservation: BookReservation, request: ChargeRequest): void {
    if (this.channel(request.workerChannel).role !== 'worker') {
      throw new LedgerError(
        'ERR_UNKNOWN_CHANNEL',
        `channel ${request.workerChannel} is not a worker's channel`,
      )
    }
    const over = (who: string, charge: bigint, most: bigint) =>
      new LedgerError(
        'ERR_OVERCHARGE',
        `request ${request.requestId}: the ${who} charge of ${charge} nanotons passes the ${most} reserved for it`,
      )
    if (request.clientCharge > reservation.maxCharge) {
      throw over('client', request.clientCharge, reservation.maxCharge)
    }
    if (request.workerCharge > reservation.maxWorkerCharge) {
      throw over('worker', request.workerCharge, reservation.maxWorkerCharge)
    }
    reservation.phase = 'ending'
  }

  /** Turns the reservation into a charge; the batch that is being made writes it. */
  applyCharge(reservation: BookReservation, request: ChargeRequest): void {
    this.#end(reservation, request.clientCharge)
    this.channel(reservation.channel).charged += request.clientCharge
    this.channel(request.workerChannel).charged += request.workerCharge
  }

  beginRelease(reservation: BookReservation): void {
    reservation.phase = 'ending'
  }

  applyRelease(reservation: BookReservation): void {
    this.#end(reservation, 0n)
  }

  /** Calls `tell` once, as soon as a channel has no open reservation. @returns takes the call back */
  onIdle(channel: string, tell: () => void): () => void {
    const waiting = { channel, tell }
    this.#waiting.add(waiting)
    this.#tellIdle()
    return () => this.#waiting.delete(waiting)
  }

  /** The sums that the file must come to when every batch so far is written. */
  expect(channels: Iterable<string>): ExpectedTotals[] {
    return [...new Set(channels)].map((id) => {
      const { charged, reserved } = this.channel(id)
      return { channel: id, charged, reserved }
    })
  }

  /** Charged and held for a key's requests that began on the day of `now`. */
  spentToday(key: string, now: number): bigint {
    this.#startDay(now)
    return this.#spent.get(key) ?? 0n
  }

  /** @param mayComeBack of what was spent today, in nanotons: it is not counted */
  #checkKey(request: PriceCheck, key: ApiKey, now: number, mayComeBack = 0n): void {
    const { perRequest, perDay, expiresAt, models } = key.limits
    if (key.revokedAt !== null) throw new LedgerError('ERR_KEY_REVOKED', `API key ${key.id} is revoked`)
    if (expiresAt !== undefined && now >= expiresAt) {
      throw new LedgerError('ERR_KEY_EXPIRED', `API key ${key.id} has expired`)
    }
    if (models && (request.model === undefined || !models.includes(request.model))) {
      throw new LedgerError('ERR_KEY_MODEL', `API key ${key.id} may not use this model`)
    }
    if (perRequest !== undefined && request.maxCharge > perRequest) {
      throw new LedgerError(
        'ERR_KEY_REQUEST_LIMIT',
        `this request may cost ${request.maxCharge} nanotons, and API key ${key.id} allows ${perRequest} a request`,
      )
    }
    const spent = this.#spent.get(key.id) ?? 0n
    if (perDay !== undefined && spent - mayComeBack + request.maxCharge > perDay) {
      throw new LedgerError(
        'ERR_KEY_DAY_LIMIT',
        `API key ${key.id} allows ${perDay} nanotons a day, ${spent} of them are spent or held, ` +
          `and this request may cost ${request.maxCharge}`,
      )
    }
  }

  #heldToday(key: string): bigint {
    let held = 0n
    for (const each of this.#open.values())
      if (each.key === key && dayOf(each.createdAt) >= this.#day) held += each.maxCharge
    return held
  }

  #end(reservation: BookReservation, charged: bigint): void {
    this.#open.delete(reservation.requestId)
    this.channel(reservation.channel).reserved -= reservation.maxCharge
    this.#spend(reservation, charged - reservation.maxCharge)
    this.#tellIdle()
  }

  #tellIdle(): void {
    if (this.#waiting.size === 0) return
    const busy = new Set([...this.#open.values()].map(({ channel }) => channel))
    for (const waiting of [...this.#waiting]) {
      if (busy.has(waiting.channel)) continue
      this.#waiting.delete(waiting)
      waiting.tell()
    }
  }

  #spend(reservation: BookReservation, amount: bigint): void {
    if (dayOf(reservation.createdAt) < this.#day) return
    this.#spent.set(reservation.key, (this.#spent.get(reservation.key) ?? 0n) + amount)
  }

  /** A clock that is set back over midnight stays on the later day, so that no day's limit starts twice. */
  #startDay(now: number): void {
    if (dayOf(now) <= this.#day) return
    this.#day = dayOf(now)
    this.#spent.clear()
  }
}

function demandOpen({ id, frozen, state }: BookChannel): void {
  if (frozen !== null) throw new LedgerError('ERR_ROLLED_BACK', `channel ${id} is frozen: ${frozen}`)
  if (state !== 'open')
    throw new LedgerError('ERR_CHANNEL_CLOSED', `channel ${id} is ${state}: open a new channel`)
}

/**
 * The deposit bounds every channel; the voucher bounds one that its client signs.
 *
 * @param mayComeBack of what is reserved, in nanotons: it is not counted
 */
function checkFunds(
  { id, signer, deposited, ceiling, charged, reserved }: BookChannel,
  amount: bigint,
  mayComeBack = 0n,
): void {
  const needed = charged + reserved + amount
  if (needed - mayComeBack > deposited) {
    throw new LedgerError(
      'ERR_INSUFFICIENT_FUNDS',
      `channel ${id} has ${deposited - charged - reserved} nanotons free, and this request may cost ${amount}: ` +
        'top the channel up, or lower the most tokens that may be made',
    )
  }
  if (signer === 'client' && needed - mayComeBack > ceiling) throw new StaleCeilingError(id, ceiling, needed)
}

/** The refusal of a request id that has a reservation or a charge already. */
export function duplicate(requestId: string): LedgerError {
  return new LedgerError('ERR_DUPLICATE_REQUEST', `request id ${requestId} was used before: make a new one`)
}
