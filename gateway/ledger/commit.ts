import { type RawBuilder, sql, type Transaction } from 'kysely'
import { toHex } from '../../attest/bytes.ts'
import { LedgerError } from './errors.ts'
import type { Tables } from './schema.ts'
import type { Batch, ReserveRow } from './wire.ts'

export type Tx = Transaction<Tables>

/** Change of one channel's sums by a batch. */
interface Delta {
  channel: string
  charged: bigint
  reserved: bigint
}

/** Bigints travel in JSON as decimal text and are cast back in SQL: a JSON number may be read as a double. */
function json(rows: readonly object[]): RawBuilder<string> {
  const text = JSON.stringify(rows, (_name, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  )
  return sql`json_each(${text})`
}

const text = (name: string) => sql`j.value ->> ${sql.lit(name)}`
const int = (name: string) => sql`cast(${text(name)} as integer)`

/**
 * Writes the hot part of a batch (reservations, charges, releases, vouchers) with one statement per kind, whatever
 * the number of rows, and compares the sums that result with those that the face expects.
 *
 * The face has checked every row against its book, so that the only refusal left is a request id that was used
 * before. Anything else that does not fit means that book and file differ: it throws, and the process ends.
 *
 * @returns request ids of the reservations that were duplicates
 */
export async function writeBatch(tx: Tx, batch: Batch): Promise<string[]> {
  const deltas = new Map<string, Delta>()
  const duplicates = await insertReservations(tx, batch.reserves, deltas)
  if (batch.assigns.length) await assignWorkers(tx, batch)
  if (batch.charges.length) await endByCharge(tx, batch, deltas)
  if (batch.releases.length) await endByRelease(tx, batch, deltas)
  if (batch.vouchers.length) await insertVouchers(tx, batch)
  await updateChannels(tx, batch, deltas)
  await compareTotals(tx, batch, duplicates)
  return duplicates
}

function add(deltas: Map<string, Delta>, channel: string, charged: bigint, reserved: bigint): void {
  const known = deltas.get(channel) ?? { channel, charged: 0n, reserved: 0n }
  deltas.set(channel, { channel, charged: known.charged + charged, reserved: known.reserved + reserved })
}

async function insertReservations(tx: Tx, rows: ReserveRow[], deltas: Map<string, Delta>): Promise<string[]> {
  if (rows.length === 0) return []
  const { rows: inserted } = await sql<{ request_id: string }>`
    insert into requests (request_id, channel, api_key, worker_id, worker_boot, max_charge, max_worker_charge,
      state, created_at)
    select ${text('requestId')}, ${text('channel')}, ${text('key')}, j.value ->> '$.worker.id',
      j.value ->> '$.worker.bootId', ${int('maxCharge')}, ${int('maxWorkerCharge')}, 'open', ${int('createdAt')}
    from ${json(rows)} as j where true
    on conflict (request_id) do nothing
    returning request_id`.execute(tx)
  const accepted = new Set(inserted.map((row) => row.request_id))
  for (const row of rows) if (accepted.has(row.requestId)) add(deltas, row.channel, 0n, row.maxCharge)
  return rows.filter((row) => !accepted.has(row.requestId)).map((row) => row.requestId)
}

async function assignWorkers(tx: Tx, batch: Batch): Promise<void> {
  const { rows } = await sql`
    update requests set worker_id = ${text('workerId')}, worker_boot = ${text('workerBoot')}
    from ${json(batch.assigns)} as j
    where request_id = ${text('requestId')} and state = 'open'
    returning request_id`.execute(tx)
  expectCount('assigned', rows.length, batch.assigns.length)
}

async function endByCharge(tx: Tx, batch: Batch, deltas: Map<string, Delta>): Promise<void> {
  const rows = json(batch.charges)
  const at = sql`cast(${batch.at} as integer)`
  const ended = await sql<{ request_id: string; channel: string; max_charge: bigint; client_charge: bigint }>`
    update requests set state = 'charged', ended_at = ${at}, client_charge = ${int('clientCharge')},
      worker_charge = ${int('workerCharge')}, worker_channel = ${text('workerChannel')},
      client_ceiling = ${int('clientCeiling')}, worker_ceiling = ${int('workerCeiling')},
      worker_owed = ${int('workerOwed')}, worker_id = ${text('workerId')}
    from ${rows} as j
    where request_id = ${text('requestId')} and state = 'open'
    returning request_id, channel, max_charge, client_charge`.execute(tx)
  expectCount('charged', ended.rows.length, batch.charges.length)
  for (const row of ended.rows) add(deltas, row.channel, row.client_charge, -row.max_charge)
  for (const row of batch.charges) add(deltas, row.workerChannel, row.workerCharge, 0n)
  await sql`
    insert into receipts (request_id, payload, signature, digest)
    select ${text('requestId')}, j.value ->> '$.receipt.payload', j.value ->> '$.receipt.signature',
      ${text('receiptDigest')}
    from ${rows} as j`.execute(tx)
  await sql`
    insert into entries (at, channel, kind, request_id, amount)
    select ${at}, requests.channel, 'charge', requests.request_id, requests.client_charge
    from ${rows} as j join requests on requests.request_id = ${text('requestId')}
    union all
    select ${at}, requests.worker_channel, 'earn', requests.request_id, requests.worker_charge
    from ${rows} as j join requests on requests.request_id = ${text('requestId')}`.execute(tx)
}

async function endByRelease(tx: Tx, batch: Batch, deltas: Map<string, Delta>): Promise<void> {
  const { rows } = await sql<{ channel: string; max_charge: bigint }>`
    update requests set state = 'released', ended_at = cast(${batch.at} as integer), reason = ${text('reason')}
    from ${json(batch.releases)} as j
    where request_id = ${text('requestId')} and state = 'open'
    returning channel, max_charge`.execute(tx)
  expectCount('released', rows.length, batch.releases.length)
  for (const row of rows) add(deltas, row.channel, 0n, -row.max_charge)
}

async function insertVouchers(tx: Tx, batch: Batch): Promise<void> {
  const rows = batch.vouchers.map(({ channel, ceiling, signature }) => {
    return { channel, ceiling, signature: toHex(signature) }
  })
  await sql`
    insert into vouchers (channel, ceiling, signature, created_at)
    select ${text('channel')}, ${int('ceiling')}, unhex(${text('signature')}), cast(${batch.at} as integer)
    from ${json(rows)} as j`.execute(tx)
}

async function updateChannels(tx: Tx, batch: Batch, deltas: Map<string, Delta>): Promise<void> {
  const ceilings = new Map(batch.vouchers.map((voucher) => [voucher.channel, voucher.ceiling]))
  for (const channel of ceilings.keys()) add(deltas, channel, 0n, 0n)
  if (deltas.size === 0) return
  // Ceilings only ever rise, whatever order they come in.
  const rows = [...deltas.values()].map((delta) => ({ ...delta, ceiling: ceilings.get(delta.channel) ?? 0n }))
  const updated = await sql`
    update channels set charged = charged + ${int('charged')}, reserved = reserved + ${int('reserved')},
      ceiling = max(ceiling, ${int('ceiling')})
    from ${json(rows)} as j
    where channels.id = ${text('channel')}
    returning channels.id`.execute(tx)
  expectCount('channels', updated.rows.length, rows.length)
}

async function compareTotals(tx: Tx, batch: Batch, duplicates: readonly string[]): Promise<void> {
  if (batch.expected.length === 0) return
  const rejected = new Set(duplicates)
  const unheld = new Map<string, bigint>()
  for (const row of batch.reserves) {
    if (rejected.has(row.requestId)) unheld.set(row.channel, (unheld.get(row.channel) ?? 0n) + row.maxCharge)
  }
  const { rows } = await sql<{ id: string; charged: bigint; reserved: bigint }>`
    select id, charged, reserved from channels where id in (select ${text('channel')} from ${json(batch.expected)} as j)
  `.execute(tx)
  const found = new Map(rows.map((row) => [row.id, row]))
  for (const { channel, charged, reserved } of batch.expected) {
    const row = found.get(channel)
    const held = reserved - (unheld.get(channel) ?? 0n)
    if (row?.charged === charged && row.reserved === held) continue
    throw new LedgerError(
      'ERR_LEDGER_MISMATCH',
      `channel ${channel}: the file says charged ${row?.charged} and reserved ${row?.reserved}, ` +
        `the book says ${charged} and ${held}`,
    )
  }
}

function expectCount(what: string, found: number, wanted: number): void {
  if (found !== wanted) {
    throw new LedgerError('ERR_LEDGER_MISMATCH', `${what}: ${found} rows instead of ${wanted}`)
  }
}
