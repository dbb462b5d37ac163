import { sql } from 'kysely'
import type { Migrating } from './dialect.ts'

/**
 * Channels that their clients sign, keys that rotate, channels that are frozen. Only what can be added to a table as
 * it stands, so that no row is copied and the same statements run everywhere.
 */
export async function addClientSigned({ schema, int64, strict }: Migrating): Promise<void> {
  await schema
    .alterTable('channels')
    .addColumn('signer', 'text', (c) =>
      c
        .notNull()
        .defaultTo('gateway')
        .check(sql`signer = 'gateway' or (signer = 'client' and role = 'client')`),
    )
    .execute()
  await schema
    .alterTable('channels')
    .addColumn('accepted', int64, (c) =>
      c
        .notNull()
        .defaultTo(0)
        .check(sql`accepted between 0 and deposited
          and case signer when 'client' then ceiling = 0 and charged + reserved <= accepted else accepted = 0 end`),
    )
    .execute()
  await schema.alterTable('channels').addColumn('frozen', 'text').execute()
  await schema
    .createTable('retired_secrets')
    .addColumn('secret_sha256', 'text', (c) => c.primaryKey().notNull())
    .addColumn('api_key', 'text', (c) => c.notNull().references('api_keys.id'))
    .addColumn('until', int64, (c) => c.notNull())
    .modifyEnd(strict)
    .execute()
  // Pages of one payer's receipts in the order of charging, without a walk past everybody else's.
  await schema
    .createIndex('entries_charges')
    .on('entries')
    .columns(['channel', 'seq'])
    .where(sql.ref('kind'), '=', sql.lit('charge'))
    .execute()
}
