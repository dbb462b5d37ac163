import { sql, type Transaction } from 'kysely'
import { LedgerError } from './errors.ts'
import type { Tables } from './schema.ts'
import { insertRows, type Row, type RowStatement, type Store, updateRows } from './store.ts'
import type { Batch, ReserveRow } from './wire.ts'

export type Tx = Transaction<Tables>

/** Changes of the channels' sums by a batch. */
class Deltas {
  readonly #charged = new Map<string, bigint>()
  readonly #reserved = new Map<string, bigint>()

  add(channel: string, charged: bigint, reserved: bigint): void {
    this.#charged.set(channel, this.charged(channel) + charged)
    this.#reserved.set(channel, this.reserved(channel) + reserved)
  }

  charged(channel: string): bigint {
    return this.#charged.get(channel) ?? 0n
  }

  reserved(channel: string): bigint {
    return this.#reserved.get(channel) ?? 0n
  }
}

/**
 * Writes the hot part of a batch (reservations, charges, releases, vouchers). Each statement matches all that the face
 * believes about a row: where book and file differ it writes too few rows, so that this throws and the process ends. The
 * face has checked every rule, so that the only refusal left is a request id that was used before.
 *
 * @returns request ids of the reservations that were duplicates
 */
export async function writeBatch(store: Store, tx: Tx, batch: Batch): Promise<string[]> {
  const deltas = new Deltas()
  const refused = await insertReservations(store, tx, batch.reserves)
  for (const row of batch.reserves) if (!refused.has(row)) deltas.add(row.channel, 0n, row.maxCharge)
  await write(store, ASSIGN, batch.assigns, (row) => [row.seq, row.requestId, row.workerId, row.workerBoot])
  await endByCharge(store, batch, deltas)
  await endByRelease(store, batch, deltas)
  const at = BigInt(batch.at)
  await write(store, VOUCHER, batch.vouchers, (row) => [row.channel, row.ceiling, row.signature, at])
  await updateChannels(store, tx, batch, deltas, refused)
  return [...refused].map((row) => row.requestId)
}

const RESERVE = insertRows(
  'requests',
  {
    seq: 'bigint',
    request_id: 'text',
    channel: 'text',
    api_key: 'text',
    worker_id: 'text',
    worker_boot: 'text',
    max_charge: 'bigint',
    max_worker_charge: 'bigint',
    created_at: 'bigint',
    state: 'text',
  },
  'on conflict (request_id) do nothing',
)

async function insertReservations(store: Store, tx: Tx, rows: ReserveRow[]): Promise<Set<ReserveRow>> {
  const [first] = rows
  if (!first) return new Set()
  const written = await store.apply(
    RESERVE,
    rows.map((row) => [
      row.seq,
      row.requestId,
      row.channel,
      row.key,
      row.worker.id,
      row.worker.bootId,
      row.maxCharge,
      row.maxWorkerCharge,
      BigInt(row.createdAt),
      'open',
    ]),
  )
  if (written === rows.length) return new Set()
  const used = await usedBefore(tx, rows, first.seq)
  const refused = rows.filter((row) => used.has(row.requestId))
  expectCount('reservations', written, rows.length - refused.length)
  return new Set(refused)
}

/** Those ids of requests that stand on an older request: numbers only grow. */
async function usedBefore(tx: Tx, rows: ReserveRow[], seq: bigint): Promise<Set<string>> {
  const used = new Set<string>()
  for (let i = 0; i < rows.length; i += 1000) {
    const ids = rows.slice(i, i + 1000).map((row) => row.requestId)
    const found = await tx
      .selectFrom('requests')
      .select('request_id')
      .where('request_id', 'in', ids)
      .where('seq', '<', seq)
      .execute()
    for (const row of found) used.add(row.request_id)
  }
  return used
}

const ASSIGN = updateRows(
  'requests',
  { seq: 'bigint', request_id: 'text', worker_id: 'text', worker_boot: 'text' },
  (given) => ({
    set: `worker_id = ${given.worker_id}, worker_boot = ${given.worker_boot}`,
    where: `requests.seq = ${given.seq} and requests.request_id = ${given.request_id} and state = 'open'`,
  }),
)

const CHARGE = updateRows(
  'requests',
  {
    seq: 'bigint',
    request_id: 'text',
    channel: 'text',
    max_charge: 'bigint',
    at: 'bigint',
    client_charge: 'bigint',
    worker_charge: 'bigint',
    worker_channel: 'text',
    client_ceiling: 'bigint',
    worker_ceiling: 'bigint',
    worker_owed: 'bigint',
    worker_id: 'text',
  },
  (given) => ({
    set: `state = 'charged', ended_at = ${given.at}, client_charge = ${given.client_charge},
      worker_charge = ${given.worker_charge}, worker_channel = ${given.worker_channel},
      client_ceiling = ${given.client_ceiling}, worker_ceiling = ${given.worker_ceiling},
      worker_owed = ${given.worker_owed}, worker_id = ${given.worker_id}`,
    where: openRequest(given),
  }),
)

const RECEIPT = insertRows('receipts', {
  request: 'bigint',
  payload: 'text',
  signature: 'text',
  digest: 'text',
})

const ENTRY = insertRows('entries', {
  at: 'bigint',
  channel: 'text',
  kind: 'text',
  request: 'bigint',
  amount: 'bigint',
})

async function endByCharge(store: Store, { charges, at }: Batch, deltas: Deltas): Promise<void> {
  const ended = BigInt(at)
  await write(store, CHARGE, charges, (row) => [
    row.seq,
    row.requestId,
    row.channel,
    row.maxCharge,
    ended,
    row.clientCharge,
    row.workerCharge,
    row.workerChannel,
    row.clientCeiling,
    row.workerCeiling,
    row.workerOwed,
    row.workerId,
  ])
  await write(store, RECEIPT, charges, ({ seq, receipt, receiptDigest }) => {
    return [seq, receipt.payload, receipt.signature, receiptDigest]
  })
  await write(store, ENTRY, charges, (row) => [ended, row.channel, 'charge', row.seq, row.clientCharge])
  await write(store, ENTRY, charges, (row) => [ended, row.workerChannel, 'earn', row.seq, row.workerCharge])
  for (const row of charges) {
    deltas.add(row.channel, row.clientCharge, -row.maxCharge)
    deltas.add(row.workerChannel, row.workerCharge, 0n)
  }
}

const RELEASE = updateRows(
  'requests',
  { seq: 'bigint', request_id: 'text', channel: 'text', max_charge: 'bigint', at: 'bigint', reason: 'text' },
  (given) => ({
    set: `state = 'released', ended_at = ${given.at}, reason = ${given.reason}`,
    where: openRequest(given),
  }),
)

async function endByRelease(store: Store, { releases, at }: Batch, deltas: Deltas): Promise<void> {
  await write(store, RELEASE, releases, (row) => {
    return [row.seq, row.requestId, row.channel, row.maxCharge, BigInt(at), row.reason]
  })
  for (const row of releases) deltas.add(row.channel, 0n, -row.maxCharge)
}

/** The request as the book has it, and still open. */
function openRequest(given: Record<'seq' | 'request_id' | 'channel' | 'max_charge', string>): string {
  return `requests.seq = ${given.seq} and requests.request_id = ${given.request_id} and state = 'open'
    and requests.channel = ${given.channel} and requests.max_charge = ${given.max_charge}`
}

const VOUCHER = insertRows('vouchers', {
  channel: 'text',
  ceiling: 'bigint',
  signature: 'bytea',
  created_at: 'bigint',
})

/** Takes the book's sums, if the file's own and what this batch adds to them come to the same. Ceilings only ever rise. */
const CHANNEL = updateRows(
  'channels',
  {
    id: 'text',
    charged: 'bigint',
    reserved: 'bigint',
    more_charged: 'bigint',
    more_reserved: 'bigint',
    ceiling: 'bigint',
  },
  (given) => ({
    set: `charged = ${given.charged}, reserved = ${given.reserved},
      ceiling = case when ${given.ceiling} > channels.ceiling then ${given.ceiling} else channels.ceiling end`,
    where: `channels.id = ${given.id} and channels.charged + ${given.more_charged} = ${given.charged}
      and channels.reserved + ${given.more_reserved} = ${given.reserved}`,
  }),
)

async function updateChannels(
  store: Store,
  tx: Tx,
  { expected, vouchers }: Batch,
  deltas: Deltas,
  refused: ReadonlySet<ReserveRow>,
): Promise<void> {
  const ceilings = new Map(vouchers.map((voucher) => [voucher.channel, voucher.ceiling]))
  // The book still holds what is reserved for requests that the file has just refused.
  const unheld = new Deltas()
  for (const row of refused) unheld.add(row.channel, 0n, row.maxCharge)
  const rows = expected.map(({ channel, charged, reserved }) => {
    const held = reserved - unheld.reserved(channel)
    const [moreCharged, moreReserved] = [deltas.charged(channel), deltas.reserved(channel)]
    return [channel, charged, held, moreCharged, moreReserved, ceilings.get(channel) ?? 0n] as const
  })
  if ((await store.apply(CHANNEL, rows)) !== rows.length) throw await mismatch(tx, rows)
}

/** Says which channel's sums differ. */
async function mismatch(
  tx: Tx,
  rows: readonly (readonly [string, bigint, bigint, bigint, bigint, bigint])[],
): Promise<LedgerError> {
  for (const [id, charged, reserved, moreCharged, moreReserved] of rows) {
    // This channel was written if it had these sums, and was not if it had any other.
    const found = await sql<{ charged: bigint; reserved: bigint }>`
      select charged, reserved from channels where id = ${id}`.execute(tx)
    const [row] = found.rows
    if (row?.charged === charged && row.reserved === reserved) continue
    return new LedgerError(
      'ERR_LEDGER_MISMATCH',
      `channel ${id}: the ledger says charged ${row?.charged} and reserved ${row?.reserved} before this batch, ` +
        `the book says ${charged - moreCharged} and ${reserved - moreReserved}`,
    )
  }
  return new LedgerError('ERR_LEDGER_MISMATCH', 'the sums of a channel differ from the book')
}

/** Writes all rows, or throws. */
async function write<T>(
  store: Store,
  statement: RowStatement,
  rows: readonly T[],
  toRow: (row: T) => Row,
): Promise<void> {
  if (rows.length === 0) return
  const written = await store.apply(statement, rows.map(toRow))
  expectCount(statement.name, written, rows.length)
}

function expectCount(what: string, found: number, wanted: number): void {
  if (found !== wanted) {
    throw new LedgerError('ERR_LEDGER_MISMATCH', `${what}: ${found} rows instead of ${wanted}`)
  }
}
