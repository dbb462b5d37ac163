import { type Kysely, sql } from 'kysely'
import { audit } from './audit.ts'
import { ceilingOf, toChannel, toKey } from './rows.ts'
import type { Database, Tables } from './schema.ts'
import type { ApiKey, ChannelRecord, StoredReceipt } from './types.ts'
import { readPage } from './verify/pages.ts'
import type { EndedRequest, FoundKey, Opening, Query, QueryReply, Refused, ReserveRow } from './wire.ts'
import { refuse } from './wire.ts'

/** Charges that are in memory at once while they are added up. */
const CHARGES_AT_ONCE = 1000

/** Answers one read. */
export async function runQuery(database: Database, query: Query): Promise<QueryReply> {
  switch (query.ask) {
    case 'channel':
      return await channelById(database, query.id)
    case 'channels':
      return await channels(database)
    case 'voucherAbove':
      return await voucherAbove(database, query.channel, query.ceiling)
    case 'cameTo':
      return { came: await cameTo(database, query.channel, query.sum) }
    case 'keyByHash':
      return await keyByHash(database, query.hash, query.now)
    case 'keyById':
      return await keyById(database, query.id)
    case 'keys': {
      const rows = await database
        .selectFrom('api_keys')
        .selectAll()
        .where('secret_sha256', 'not like', 'none:%')
        .orderBy('created_at')
        .orderBy('id')
        .execute()
      return rows.map(toKey)
    }
    case 'request':
      return await ended(database, query.requestId)
    case 'receipt':
      return await receipt(database, query.requestId)
    case 'receipts':
      return await receipts(database, query)
    case 'audit':
      return await audit(database)
    case 'page':
      return await readPage(database, query.query)
  }
}

/** What the face has to know before it can take its first reservation. */
export async function opening(database: Database, dayStart: number): Promise<Opening> {
  const open = await database
    .selectFrom('requests')
    .selectAll()
    .where('state', '=', sql.lit('open'))
    .execute()
  const days = await database
    .selectFrom('requests')
    .select('api_key')
    .select(
      sql<bigint>`sum(case state when 'charged' then client_charge when 'open' then max_charge else 0 end)`.as(
        'total',
      ),
    )
    .where('created_at', '>=', BigInt(dayStart))
    .groupBy('api_key')
    .execute()
  const last = await database
    .selectFrom('requests')
    .select('seq')
    .orderBy('seq', 'desc')
    .limit(1)
    .executeTakeFirst()
  return {
    channels: await channels(database),
    open: open.map(
      (row): ReserveRow => ({
        seq: row.seq,
        requestId: row.request_id,
        channel: row.channel,
        key: row.api_key,
        worker: { id: row.worker_id, bootId: row.worker_boot },
        maxCharge: row.max_charge,
        maxWorkerCharge: row.max_worker_charge,
        createdAt: Number(row.created_at),
      }),
    ),
    lastSeq: last?.seq ?? 0n,
    dayTotals: days.map((row) => ({ key: row.api_key, total: row.total })),
  }
}

/** One channel with its newest voucher. */
export async function channelById(database: Kysely<Tables>, id: string): Promise<ChannelRecord | undefined> {
  const row = await database.selectFrom('channels').selectAll().where('id', '=', id).executeTakeFirst()
  return row && toChannel(row, await voucher(database, row.id, ceilingOf(row)))
}

async function channels(database: Database): Promise<ChannelRecord[]> {
  const rows = await database
    .selectFrom('channels')
    .leftJoin('vouchers', (join) =>
      join
        .onRef('vouchers.channel', '=', 'channels.id')
        // One of the two is 0: which one says the signer.
        .on('vouchers.ceiling', '=', sql<bigint>`channels.ceiling + channels.accepted`),
    )
    .selectAll('channels')
    .select('vouchers.signature')
    .orderBy('channels.created_at')
    .orderBy('channels.id')
    .execute()
  return rows.map(({ signature, ...row }) => toChannel(row, signature))
}

/** When the lowest voucher above a ceiling was signed, in ms. */
async function voucherAbove(
  database: Database,
  channel: string,
  ceiling: bigint,
): Promise<{ signedAt: number } | undefined> {
  const row = await database
    .selectFrom('vouchers')
    .select('created_at')
    .where('channel', '=', channel)
    .where('ceiling', '>', ceiling)
    .orderBy('ceiling')
    .limit(1)
    .executeTakeFirst()
  return row && { signedAt: Number(row.created_at) }
}

/** Whether the charges on a channel, added up in their order, ever made this sum. Looks at those after it only. */
async function cameTo(database: Database, channel: string, sum: bigint): Promise<boolean> {
  let total = (await channelById(database, channel))?.charged ?? 0n
  let before: bigint | undefined
  for (;;) {
    const charges = await database
      .selectFrom('entries')
      .select(['seq', 'amount'])
      .where('channel', '=', channel)
      .where('kind', '=', sql.lit('charge'))
      .$if(before !== undefined, (query) => query.where('seq', '<', before ?? 0n))
      .orderBy('seq', 'desc')
      .limit(CHARGES_AT_ONCE)
      .execute()
    for (const { amount } of charges) {
      if (total <= sum) break
      total -= amount
    }
    before = charges.at(-1)?.seq
    if (total <= sum || before === undefined) return total === sum
  }
}

async function voucher(
  database: Kysely<Tables>,
  channel: string,
  ceiling: bigint | null,
): Promise<Uint8Array | null> {
  if (ceiling === null || ceiling === 0n) return null
  const row = await database
    .selectFrom('vouchers')
    .select('signature')
    .where('channel', '=', channel)
    .where('ceiling', '=', ceiling)
    .executeTakeFirst()
  return row?.signature ?? null
}

async function keyById(database: Database, id: string): Promise<ApiKey | undefined> {
  const row = await database.selectFrom('api_keys').selectAll().where('id', '=', id).executeTakeFirst()
  return row && toKey(row)
}

async function keyByHash(database: Database, hash: string, now: number): Promise<FoundKey | undefined> {
  const row = await database
    .selectFrom('api_keys')
    .selectAll()
    .where('secret_sha256', '=', hash)
    .executeTakeFirst()
  if (row) return { key: toKey(row) }
  const retired = await database
    .selectFrom('retired_secrets')
    .innerJoin('api_keys', 'api_keys.id', 'retired_secrets.api_key')
    .selectAll('api_keys')
    .select('until')
    .where('retired_secrets.secret_sha256', '=', hash)
    .where('until', '>', BigInt(now))
    .executeTakeFirst()
  return retired && { key: toKey(retired), until: Number(retired.until) }
}

async function ended(database: Database, requestId: string): Promise<EndedRequest | undefined> {
  const row = await database
    .selectFrom('requests')
    .selectAll()
    .where('request_id', '=', requestId)
    .executeTakeFirst()
  if (row?.state === 'released') return { state: 'released' }
  if (row?.state !== 'charged' || row.worker_channel === null) return undefined
  return {
    state: 'charged',
    charge: {
      clientCharge: row.client_charge ?? 0n,
      workerCharge: row.worker_charge ?? 0n,
      clientCeiling: row.client_ceiling ?? 0n,
      clientVoucher: await voucher(database, row.channel, row.client_ceiling),
      workerCeiling: row.worker_ceiling ?? 0n,
      workerVoucher: await voucher(database, row.worker_channel, row.worker_ceiling),
      workerOwed: row.worker_owed ?? 0n,
    },
  }
}

const storedReceipts = (database: Database) =>
  database
    .selectFrom('requests')
    .innerJoin('receipts', 'receipts.request', 'requests.seq')
    .selectAll(['requests', 'receipts'])

type ReceiptRow = Awaited<ReturnType<ReturnType<typeof storedReceipts>['execute']>>[number]

async function receipt(database: Database, requestId: string): Promise<StoredReceipt | undefined> {
  const row = await storedReceipts(database).where('requests.request_id', '=', requestId).executeTakeFirst()
  return row && toReceipt(row)
}

/** One page of a channel's receipts: the numbers of its entries are the order of charging. */
async function receipts(
  database: Database,
  { channel, after, limit }: Extract<Query, { ask: 'receipts' }>,
): Promise<StoredReceipt[] | Refused> {
  const charges = database
    .selectFrom('entries')
    .where('entries.channel', '=', channel)
    .where('kind', '=', sql.lit('charge'))
  const last =
    after === undefined
      ? { seq: 0n }
      : await charges
          .innerJoin('requests', 'requests.seq', 'entries.request')
          .select('entries.seq')
          .where('request_id', '=', after)
          .executeTakeFirst()
  if (!last)
    return refuse('ERR_LEDGER_INPUT', `after: request ${after} was not charged on channel ${channel}`)
  const rows = await storedReceipts(database)
    .innerJoin('entries', 'entries.request', 'requests.seq')
    .where('entries.channel', '=', channel)
    .where('entries.kind', '=', sql.lit('charge'))
    .where('entries.seq', '>', last.seq)
    .orderBy('entries.seq')
    .limit(limit)
    .execute()
  return rows.map(toReceipt)
}

function toReceipt(row: ReceiptRow): StoredReceipt {
  return {
    requestId: row.request_id,
    channel: row.channel,
    key: row.api_key,
    receipt: { payload: row.payload, signature: row.signature },
    digest: row.digest,
    signingKey: row.worker_id,
    charged: row.client_charge ?? 0n,
    earned: row.worker_charge ?? 0n,
    chargedAt: Number(row.ended_at),
  }
}
