import { sql } from 'kysely'
import { LedgerError } from './errors.ts'
import { isPostgres } from './migrations/dialect.ts'
import type { Database } from './schema.ts'
import type { AuditReport } from './types.ts'

/**
 * Each check selects the rows that break a promise, with a `name` for the message. None of them trusts a sum that
 * the program keeps: everything is added up again from entries, requests and vouchers.
 */
const CHECKS: Readonly<Record<string, string>> = {
  'a total of a channel differs from its entries': `
    select id || ': deposited ' || deposited || ', settled ' || settled || ', charged ' || charged as name
    from channels left join (
      select channel, sum(case kind when 'deposit' then amount else 0 end) as d, sum(case kind when 'settle' then amount else 0 end) as s,
        sum(case when kind in ('charge', 'earn') then amount else 0 end) as c
      from entries group by channel) as e on channel = id
    where deposited <> coalesce(d, 0) or settled <> coalesce(s, 0) or charged <> coalesce(c, 0)`,
  'a channel’s reserved total differs from its open requests': `
    select id || ': reserved ' || reserved as name
    from channels left join (
      select channel, sum(max_charge) as held from requests where state = 'open' group by channel) as r on channel = id
    where reserved <> coalesce(held, 0)`,
  'a client channel is charged and reserved beyond its deposit': `
    select id as name from channels where role = 'client' and charged + reserved > deposited`,
  'a channel that its client signs is charged and reserved beyond its voucher': `
    select id as name from channels where signer = 'client' and charged + reserved > accepted`,
  'a voucher ceiling passes what was charged or deposited': `
    select id as name from channels
    where ceiling > charged or ceiling > deposited or accepted > deposited or settled > deposited
      or ceiling + accepted <> coalesce((select max(v.ceiling) from vouchers v where v.channel = channels.id), 0)`,
  'something stands on a channel that is not there': `
    select channel as name from (select channel from entries union select channel from requests
      union select channel from vouchers union select channel from api_keys) as t
    where channel not in (select id from channels)`,
  'an entry stands on the wrong kind of channel': `
    select seq as name from entries join channels on id = channel
    where (kind = 'charge' and role <> 'client') or (kind = 'earn' and role <> 'worker')`,
  'a charged request and its entries or receipt differ': `
    select r.request_id as name from requests r
    left join entries c on c.request = r.seq and c.kind = 'charge'
    left join entries e on e.request = r.seq and e.kind = 'earn'
    left join receipts p on p.request = r.seq
    where r.state = 'charged' and (c.amount is distinct from r.client_charge or c.channel is distinct from r.channel
      or e.amount is distinct from r.worker_charge or e.channel is distinct from r.worker_channel or p.digest is null
      or r.client_charge > r.max_charge or r.worker_charge > r.max_worker_charge)`,
  'an uncharged request has entries or a receipt': `
    select request_id as name from requests where state <> 'charged'
      and (seq in (select request from entries) or seq in (select request from receipts))`,
  'an entry of a charge lacks its request': `
    select seq as name from entries where kind in ('charge', 'earn')
      and (request is null or request not in (select seq from requests))`,
  'a request was charged more than once': `
    select request as name from entries where request is not null
    group by request, kind having count(*) > 1`,
  'one receipt was charged for two requests': `
    select digest as name from receipts group by digest having count(*) > 1`,
}

/**
 * Recomputes every sum of the ledger from its entries, and has SQLite check its file.
 *
 * @throws LedgerError `ERR_AUDIT` that names the first broken promise and the first row that breaks it
 */
export async function audit(database: Database): Promise<AuditReport> {
  await checkFile(database)
  for (const [promise, query] of Object.entries(CHECKS)) {
    const { rows } = await sql<{ name: string | bigint }>`${sql.raw(query)} limit 1`.execute(database)
    if (rows[0]) throw new LedgerError('ERR_AUDIT', `ledger audit: ${promise} (${rows[0].name})`)
  }
  return await report(database)
}

async function checkFile(database: Database): Promise<void> {
  if (isPostgres(database)) return
  const { rows } = await sql<{ integrity_check: string }>`pragma integrity_check(1)`.execute(database)
  const found = rows[0]?.integrity_check
  if (found !== 'ok') throw new LedgerError('ERR_AUDIT', `ledger audit: the file is damaged (${found})`)
  const foreign = await sql<{ table: string }>`pragma foreign_key_check`.execute(database)
  if (foreign.rows[0]) {
    throw new LedgerError('ERR_AUDIT', `ledger audit: a row of ${foreign.rows[0].table} refers to nothing`)
  }
}

async function report(database: Database): Promise<AuditReport> {
  const { rows } = await sql<{
    channels: bigint
    entries: bigint
    open: bigint
    charged: bigint
    released: bigint
    client: bigint
    worker: bigint
    reserved: bigint
  }>`select
      (select count(*) from channels) as channels, (select count(*) from entries) as entries,
      (select count(*) from requests where state = 'open') as open,
      (select count(*) from requests where state = 'charged') as charged,
      (select count(*) from requests where state = 'released') as released,
      (select coalesce(sum(amount), 0) from entries where kind = 'charge') as client,
      (select coalesce(sum(amount), 0) from entries where kind = 'earn') as worker,
      (select coalesce(sum(max_charge), 0) from requests where state = 'open') as reserved`.execute(database)
  const [sums] = rows
  if (!sums) throw new LedgerError('ERR_AUDIT', 'ledger audit: the sums could not be read')
  return {
    channels: Number(sums.channels),
    entries: Number(sums.entries),
    requests: { open: Number(sums.open), charged: Number(sums.charged), released: Number(sums.released) },
    clientCharged: sums.client,
    workerCharged: sums.worker,
    reserved: sums.reserved,
  }
}
