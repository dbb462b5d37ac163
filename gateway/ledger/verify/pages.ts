import { type Kysely, sql } from 'kysely'
import { isPostgres } from '../migrations/dialect.ts'
import { toChannel } from '../rows.ts'
import type { Tables } from '../schema.ts'
import type { ChannelRecord } from '../types.ts'

/** Rows of one page: so few that commits of a running gateway, which share the thread, wait for milliseconds only. */
const PAGE = 256
/** Numbers of requests that one page of strays looks over. */
const STRIDE = 4096n

/** A channel as it stood when the verification began, with what the other tables say of it. */
export interface ChannelAtStart {
  record: ChannelRecord
  /** What this ledger signed, and what the client did: one of them is 0. */
  signed: bigint
  accepted: bigint
  /** Held by open requests. */
  held: bigint
  /** Ceiling of its highest voucher; 0 without one. */
  highest: bigint
}

/** The moment that sums are compared at: what is written later is checked by itself, but not added up. */
export interface Start {
  channels: ChannelAtStart[]
  lastEntry: bigint
  lastRequest: bigint
}

/** An entry with the request that it names. */
export interface EntryRow {
  seq: bigint
  at: bigint
  channel: string
  kind: string
  amount: bigint
  request: bigint | null
  /** Null when there is no such request. */
  requestId: string | null
  state: string | null
  endedAt: bigint | null
  clientCeiling: bigint | null
  workerCeiling: bigint | null
  workerOwed: bigint | null
}

/** A request with everything that refers to it. */
export interface RequestRow {
  seq: bigint
  requestId: string
  channel: string
  /** The API key's channel; null when there is no such key. */
  keyChannel: string | null
  key: string
  workerId: string
  maxCharge: bigint
  state: string
  endedAt: bigint | null
  reason: string | null
  clientCharge: bigint | null
  workerCharge: bigint | null
  workerChannel: string | null
  clientCeiling: bigint | null
  workerCeiling: bigint | null
  workerOwed: bigint | null
  payload: string | null
  signature: string | null
  digest: string | null
  chargeEntry: { channel: string | null; amount: bigint | null }
  earnEntry: { channel: string | null; amount: bigint | null }
  /** Ceilings for which there is a voucher. */
  clientVoucher: bigint | null
  workerVoucher: bigint | null
}

export interface VoucherRow {
  channel: string
  /** Null when there is no such channel. */
  channelId: string | null
  ceiling: bigint
  signature: Uint8Array
}

/** The parts of the ledger that a verification reads, each in pages; `after` is what the page before ended with. */
export interface Pages {
  start: { ask: object; rows: Start }
  /** What SQLite finds wrong with its file; takes as long as reading all of it. */
  file: { ask: object; rows: string[] }
  entries: { ask: { after: bigint; upTo: bigint }; rows: EntryRow[] }
  requests: { ask: { after: bigint; upTo: bigint }; rows: RequestRow[] }
  /** Receipts of no charged request. `next`: where the next page begins. */
  strays: { ask: { after: bigint; upTo: bigint }; rows: { requests: bigint[]; next: bigint } }
  vouchers: { ask: { after: { channel: string; ceiling: bigint } | undefined }; rows: VoucherRow[] }
}

/** A page to read, as it travels to the thread that has the ledger open. */
export type PageQuery = { [name in keyof Pages]: { page: name } & Pages[name]['ask'] }[keyof Pages]
export type PageRows = Pages[keyof Pages]['rows']

type Db = Kysely<Tables>

/** Reads one page, all of it at one moment. */
export async function readPage(database: Db, query: PageQuery): Promise<PageRows> {
  switch (query.page) {
    case 'start':
      return await start(database)
    case 'file':
      return await file(database)
    case 'entries':
      return await entries(database, query.after, query.upTo)
    case 'requests':
      return await requests(database, query.after, query.upTo)
    case 'strays':
      return await strays(database, query.after, query.upTo)
    case 'vouchers':
      return await vouchers(database, query.after)
  }
}

async function start(database: Db): Promise<Start> {
  const rows = await database
    .selectFrom('channels')
    .selectAll()
    .select(({ selectFrom }) => [
      selectFrom('vouchers')
        .select(({ fn }) => fn.max('vouchers.ceiling').as('highest'))
        .whereRef('vouchers.channel', '=', 'channels.id')
        .as('highest'),
    ])
    .orderBy('created_at')
    .orderBy('id')
    .execute()
  const open = await database
    .selectFrom('requests')
    .select('channel')
    .select(sql<bigint>`cast(sum(max_charge) as bigint)`.as('held'))
    .where('state', '=', sql.lit('open'))
    .groupBy('channel')
    .execute()
  const held = new Map(open.map((row) => [row.channel, row.held]))
  return {
    channels: rows.map(({ highest, ...row }) => ({
      record: toChannel(row, null),
      signed: row.ceiling,
      accepted: row.accepted,
      held: held.get(row.id) ?? 0n,
      highest: highest ?? 0n,
    })),
    lastEntry: await lastSeq(database, 'entries'),
    lastRequest: await lastSeq(database, 'requests'),
  }
}

async function lastSeq(database: Db, table: 'entries' | 'requests'): Promise<bigint> {
  const last = await database
    .selectFrom(table)
    .select('seq')
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst()
  return last?.seq ?? 0n
}

/** PostgreSQL looks after its files itself. */
async function file(database: Db): Promise<string[]> {
  if (isPostgres(database)) return []
  const { rows } = await sql<{ integrity_check: string }>`pragma integrity_check(100)`.execute(database)
  const foreign = await sql<{
    table: string
    rowid: bigint
    parent: string
  }>`pragma foreign_key_check`.execute(database)
  return [
    ...rows.map((row) => row.integrity_check).filter((found) => found !== 'ok'),
    ...foreign.rows
      .slice(0, 100)
      .map((row) => `row ${row.rowid} of ${row.table} refers to no row of ${row.parent}`),
  ]
}

async function entries(database: Db, after: bigint, upTo: bigint): Promise<EntryRow[]> {
  return await database
    .selectFrom('entries')
    .leftJoin('requests', 'requests.seq', 'entries.request')
    .select([
      'entries.seq',
      'entries.at',
      'entries.channel',
      'entries.kind',
      'entries.amount',
      'entries.request',
    ])
    .select(['requests.request_id as requestId', 'requests.state', 'requests.ended_at as endedAt'])
    .select(['requests.client_ceiling as clientCeiling', 'requests.worker_ceiling as workerCeiling'])
    .select('requests.worker_owed as workerOwed')
    .where('entries.seq', '>', after)
    .where('entries.seq', '<=', upTo)
    .orderBy('entries.seq')
    .limit(PAGE)
    .execute()
}

async function requests(database: Db, after: bigint, upTo: bigint): Promise<RequestRow[]> {
  const rows = await database
    .selectFrom('requests as r')
    .leftJoin('api_keys as k', 'k.id', 'r.api_key')
    .leftJoin('receipts as p', 'p.request', 'r.seq')
    .leftJoin('entries as c', (on) =>
      on.onRef('c.request', '=', 'r.seq').on('c.kind', '=', sql.lit('charge')),
    )
    .leftJoin('entries as e', (on) => on.onRef('e.request', '=', 'r.seq').on('e.kind', '=', sql.lit('earn')))
    .leftJoin('vouchers as cv', (on) =>
      on.onRef('cv.channel', '=', 'r.channel').onRef('cv.ceiling', '=', 'r.client_ceiling'),
    )
    .leftJoin('vouchers as wv', (on) =>
      on.onRef('wv.channel', '=', 'r.worker_channel').onRef('wv.ceiling', '=', 'r.worker_ceiling'),
    )
    .select(['r.seq', 'r.request_id', 'r.channel', 'r.api_key', 'r.worker_id', 'r.max_charge', 'r.state'])
    .select(['r.ended_at', 'r.reason', 'r.client_charge', 'r.worker_charge', 'r.worker_channel'])
    .select(['r.client_ceiling', 'r.worker_ceiling', 'r.worker_owed', 'k.channel as key_channel'])
    .select(['p.payload', 'p.signature', 'p.digest'])
    .select(['c.channel as charge_channel', 'c.amount as charge_amount'])
    .select(['e.channel as earn_channel', 'e.amount as earn_amount'])
    .select(['cv.ceiling as client_voucher', 'wv.ceiling as worker_voucher'])
    .where('r.seq', '>', after)
    .where('r.seq', '<=', upTo)
    .orderBy('r.seq')
    .limit(PAGE)
    .execute()
  return rows.map((row) => ({
    seq: row.seq,
    requestId: row.request_id,
    channel: row.channel,
    keyChannel: row.key_channel,
    key: row.api_key,
    workerId: row.worker_id,
    maxCharge: row.max_charge,
    state: row.state,
    endedAt: row.ended_at,
    reason: row.reason,
    clientCharge: row.client_charge,
    workerCharge: row.worker_charge,
    workerChannel: row.worker_channel,
    clientCeiling: row.client_ceiling,
    workerCeiling: row.worker_ceiling,
    workerOwed: row.worker_owed,
    payload: row.payload,
    signature: row.signature,
    digest: row.digest,
    chargeEntry: { channel: row.charge_channel, amount: row.charge_amount },
    earnEntry: { channel: row.earn_channel, amount: row.earn_amount },
    clientVoucher: row.client_voucher,
    workerVoucher: row.worker_voucher,
  }))
}

async function strays(database: Db, after: bigint, upTo: bigint): Promise<Pages['strays']['rows']> {
  const next = after + STRIDE < upTo ? after + STRIDE : upTo
  const rows = await database
    .selectFrom('receipts')
    .leftJoin('requests', 'requests.seq', 'receipts.request')
    .select('receipts.request')
    .where('receipts.request', '>', after)
    .where('receipts.request', '<=', next)
    .where((on) => on.or([on('requests.state', 'is', null), on('requests.state', '<>', sql.lit('charged'))]))
    .execute()
  return { requests: rows.map(({ request }) => request), next }
}

async function vouchers(database: Db, after: Pages['vouchers']['ask']['after']): Promise<VoucherRow[]> {
  let page = database
    .selectFrom('vouchers')
    .leftJoin('channels', 'channels.id', 'vouchers.channel')
    .select(['vouchers.channel', 'vouchers.ceiling', 'vouchers.signature', 'channels.id as channelId'])
  if (after) {
    const { channel, ceiling } = after
    page = page.where((on) =>
      on.or([
        on('vouchers.channel', '>', channel),
        on.and([on('vouchers.channel', '=', channel), on('vouchers.ceiling', '>', ceiling)]),
      ]),
    )
  }
  return await page.orderBy('vouchers.channel').orderBy('vouchers.ceiling').limit(PAGE).execute()
}
