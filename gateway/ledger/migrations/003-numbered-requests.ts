import { sql } from 'kysely'
import type { Migrating } from './dialect.ts'

/**
 * Requests get numbers, and receipts and entries refer to those. Request ids are random: an index over them is written
 * all over the place, one page for each request, and there were four of them. Now there is one.
 *
 * `owner` counts the processes that have opened the ledger, so that one that lost it can tell.
 */
export async function numberRequests(migration: Migrating): Promise<void> {
  const { database, schema } = migration
  for (const index of ['requests_created', 'requests_open', 'entries_charges']) {
    await schema.dropIndex(index).execute()
  }
  for (const table of ['requests', 'receipts', 'entries']) {
    await schema.alterTable(table).renameTo(`old_${table}`).execute()
  }
  await createRequests(migration)
  await createReceiptsAndEntries(migration)
  const columns =
    sql.raw(`request_id, channel, api_key, worker_id, worker_boot, max_charge, max_worker_charge, state, created_at,
    ended_at, reason, client_charge, worker_charge, worker_channel, client_ceiling, worker_ceiling, worker_owed`)
  await sql`insert into requests (seq, ${columns})
    select row_number() over (order by created_at, request_id), ${columns} from old_requests`.execute(
    database,
  )
  await sql`insert into receipts (request, payload, signature, digest)
    select seq, payload, signature, digest from old_receipts
    join requests on requests.request_id = old_receipts.request_id order by seq`.execute(database)
  // Their order is that of charging, and stays.
  await sql`insert into entries (at, channel, kind, request, amount)
    select at, e.channel, kind, requests.seq, amount from old_entries e
    left join requests on requests.request_id = e.request_id order by e.seq`.execute(database)
  for (const table of ['receipts', 'entries', 'requests']) await schema.dropTable(`old_${table}`).execute()
  await createIndexes(migration)
  await createOwner(migration)
}

async function createRequests({ schema, int64, strict }: Migrating): Promise<void> {
  await schema
    .createTable('requests')
    .addColumn('seq', int64, (c) => c.primaryKey().notNull())
    .addColumn('request_id', 'text', (c) => c.notNull().unique())
    .addColumn('channel', 'text', (c) => c.notNull().references('channels.id'))
    .addColumn('api_key', 'text', (c) => c.notNull().references('api_keys.id'))
    .addColumn('worker_id', 'text', (c) => c.notNull())
    .addColumn('worker_boot', 'text', (c) => c.notNull())
    .addColumn('max_charge', int64, (c) => c.notNull().check(sql`max_charge >= 0`))
    .addColumn('max_worker_charge', int64, (c) => c.notNull().check(sql`max_worker_charge >= 0`))
    .addColumn('state', 'text', (c) => c.notNull().check(sql`state in ('open', 'charged', 'released')`))
    .addColumn('created_at', int64, (c) => c.notNull())
    .addColumn('ended_at', int64)
    .addColumn('reason', 'text')
    .addColumn('client_charge', int64, (c) => c.check(sql`client_charge between 0 and max_charge`))
    .addColumn('worker_charge', int64, (c) => c.check(sql`worker_charge between 0 and max_worker_charge`))
    .addColumn('worker_channel', 'text', (c) => c.references('channels.id'))
    .addColumn('client_ceiling', int64)
    .addColumn('worker_ceiling', int64)
    .addColumn('worker_owed', int64)
    .modifyEnd(strict)
    .execute()
}

async function createReceiptsAndEntries({ schema, int64, strict, numbered }: Migrating): Promise<void> {
  await schema
    .createTable('receipts')
    .addColumn('request', int64, (c) => c.primaryKey().notNull().references('requests.seq'))
    .addColumn('payload', 'text', (c) => c.notNull())
    .addColumn('signature', 'text', (c) => c.notNull())
    .addColumn('digest', 'text', (c) => c.notNull())
    .modifyEnd(strict)
    .execute()
  await schema
    .createTable('entries')
    .addColumn('seq', int64, numbered)
    .addColumn('at', int64, (c) => c.notNull())
    .addColumn('channel', 'text', (c) => c.notNull().references('channels.id'))
    .addColumn('kind', 'text', (c) => c.notNull().check(sql`kind in ('deposit', 'settle', 'charge', 'earn')`))
    .addColumn('request', int64, (c) => c.references('requests.seq'))
    .addColumn('amount', int64, (c) => c.notNull().check(sql`amount >= 0`))
    .modifyEnd(strict)
    .execute()
}

async function createIndexes({ schema }: Migrating): Promise<void> {
  await schema.createIndex('requests_created').on('requests').column('created_at').execute()
  await schema
    .createIndex('requests_open')
    .on('requests')
    .column('seq')
    .where(sql.ref('state'), '=', sql.lit('open'))
    .execute()
  // No request is ever charged twice, and no worker is credited twice for one.
  await schema
    .createIndex('entries_once')
    .unique()
    .on('entries')
    .columns(['request', 'kind'])
    .where(sql.ref('request'), 'is not', null)
    .execute()
  // Pages of one payer's receipts in the order of charging, without a walk past everybody else's.
  await schema
    .createIndex('entries_charges')
    .on('entries')
    .columns(['channel', 'seq'])
    .where(sql.ref('kind'), '=', sql.lit('charge'))
    .execute()
}

async function createOwner({ database, schema, int64, strict }: Migrating): Promise<void> {
  await schema
    .createTable('owner')
    .addColumn('id', int64, (c) => c.primaryKey().check(sql`id = 1`))
    .addColumn('epoch', int64, (c) => c.notNull())
    .modifyEnd(strict)
    .execute()
  await sql`insert into owner (id, epoch) values (1, 0)`.execute(database)
}
