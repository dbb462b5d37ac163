import { type Generated, type Kysely, type SchemaModule, sql } from 'kysely'
import type { Migration, MigrationProvider } from 'kysely/migration'

/**
 * Tables of the ledger, as Kysely sees them. Amounts are nanotons and times are ms, both 64-bit integers that are
 * read as bigint. No prompt, no secret of an API key and no private key has a column here.
 */
export interface Tables {
  channels: {
    id: string
    address: string
    role: string
    params: string
    state: string
    deposited: bigint
    settled: bigint
    charged: bigint
    reserved: bigint
    ceiling: bigint
    created_at: bigint
    /** `gateway` or `client`. */
    signer: string
    /** Highest ceiling that the client signed; `ceiling` is what this ledger signed. One of them stays 0. */
    accepted: bigint
    frozen: string | null
  }
  vouchers: { channel: string; ceiling: bigint; signature: Uint8Array; created_at: bigint }
  api_keys: {
    id: string
    /** Of the present secret; `none:…` for the account of a channel, since no hash reads so. */
    secret_sha256: string
    name: string
    channel: string
    per_request: bigint | null
    per_day: bigint | null
    expires_at: bigint | null
    models: string | null
    created_at: bigint
    revoked_at: bigint | null
  }
  /** Secrets that were replaced and still work until their grace is over. */
  retired_secrets: { secret_sha256: string; api_key: string; until: bigint }
  requests: {
    request_id: string
    channel: string
    api_key: string
    worker_id: string
    worker_boot: string
    max_charge: bigint
    max_worker_charge: bigint
    state: string
    created_at: bigint
    ended_at: bigint | null
    reason: string | null
    client_charge: bigint | null
    worker_charge: bigint | null
    worker_channel: string | null
    client_ceiling: bigint | null
    worker_ceiling: bigint | null
    worker_owed: bigint | null
  }
  receipts: { request_id: string; payload: string; signature: string; digest: string }
  entries: {
    seq: Generated<bigint>
    at: bigint
    channel: string
    kind: string
    request_id: string | null
    amount: bigint
  }
}

export type Database = Kysely<Tables>

async function createTables(schema: SchemaModule): Promise<void> {
  const id = (table: string, name: string) =>
    schema.createTable(table).addColumn(name, 'text', (c) => c.primaryKey().notNull())
  const strict = sql`strict`
  await id('channels', 'id')
    .addColumn('address', 'text', (c) => c.notNull().unique())
    .addColumn('role', 'text', (c) => c.notNull().check(sql`role in ('client', 'worker')`))
    .addColumn('params', 'text', (c) => c.notNull())
    .addColumn('state', 'text', (c) => c.notNull().check(sql`state in ('open', 'closing', 'closed')`))
    .addColumn('deposited', 'integer', (c) => c.notNull())
    .addColumn('settled', 'integer', (c) => c.notNull())
    .addColumn('charged', 'integer', (c) => c.notNull())
    .addColumn('reserved', 'integer', (c) => c.notNull())
    .addColumn('ceiling', 'integer', (c) => c.notNull())
    .addColumn('created_at', 'integer', (c) => c.notNull())
    // The promises of the ledger once more, where no mistake of the program can get around them.
    .addCheckConstraint('not_negative', sql`charged >= 0 and reserved >= 0 and ceiling >= 0`)
    .addCheckConstraint('funded', sql`role = 'worker' or charged + reserved <= deposited`)
    .addCheckConstraint('covered', sql`ceiling <= deposited and ceiling <= charged`)
    .addCheckConstraint('settled_in_bounds', sql`settled between 0 and deposited`)
    .modifyEnd(strict)
    .execute()
  await schema
    .createTable('vouchers')
    .addColumn('channel', 'text', (c) => c.notNull().references('channels.id'))
    .addColumn('ceiling', 'integer', (c) => c.notNull())
    .addColumn('signature', 'blob', (c) => c.notNull().check(sql`length(signature) = 64`))
    .addColumn('created_at', 'integer', (c) => c.notNull())
    .addPrimaryKeyConstraint('vouchers_pk', ['channel', 'ceiling'])
    .modifyEnd(strict)
    .execute()
  await id('api_keys', 'id')
    .addColumn('secret_sha256', 'text', (c) => c.notNull().unique())
    .addColumn('name', 'text', (c) => c.notNull())
    .addColumn('channel', 'text', (c) => c.notNull().references('channels.id'))
    .addColumn('per_request', 'integer')
    .addColumn('per_day', 'integer')
    .addColumn('expires_at', 'integer')
    .addColumn('models', 'text')
    .addColumn('created_at', 'integer', (c) => c.notNull())
    .addColumn('revoked_at', 'integer')
    .modifyEnd(strict)
    .execute()
  await id('requests', 'request_id')
    .addColumn('channel', 'text', (c) => c.notNull().references('channels.id'))
    .addColumn('api_key', 'text', (c) => c.notNull().references('api_keys.id'))
    .addColumn('worker_id', 'text', (c) => c.notNull())
    .addColumn('worker_boot', 'text', (c) => c.notNull())
    .addColumn('max_charge', 'integer', (c) => c.notNull().check(sql`max_charge >= 0`))
    .addColumn('max_worker_charge', 'integer', (c) => c.notNull().check(sql`max_worker_charge >= 0`))
    .addColumn('state', 'text', (c) => c.notNull().check(sql`state in ('open', 'charged', 'released')`))
    .addColumn('created_at', 'integer', (c) => c.notNull())
    .addColumn('ended_at', 'integer')
    .addColumn('reason', 'text')
    .addColumn('client_charge', 'integer', (c) => c.check(sql`client_charge between 0 and max_charge`))
    .addColumn('worker_charge', 'integer', (c) => c.check(sql`worker_charge between 0 and max_worker_charge`))
    .addColumn('worker_channel', 'text', (c) => c.references('channels.id'))
    .addColumn('client_ceiling', 'integer')
    .addColumn('worker_ceiling', 'integer')
    .addColumn('worker_owed', 'integer')
    .modifyEnd(strict)
    .execute()
  await schema.createIndex('requests_created').on('requests').column('created_at').execute()
  await schema
    .createIndex('requests_open')
    .on('requests')
    .column('request_id')
    .where(sql.ref('state'), '=', sql.lit('open'))
    .execute()
  await id('receipts', 'request_id')
    .addColumn('payload', 'text', (c) => c.notNull())
    .addColumn('signature', 'text', (c) => c.notNull())
    .addColumn('digest', 'text', (c) => c.notNull())
    .addForeignKeyConstraint('receipts_request', ['request_id'], 'requests', ['request_id'])
    .modifyEnd(strict)
    .execute()
  await schema
    .createTable('entries')
    .addColumn('seq', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('at', 'integer', (c) => c.notNull())
    .addColumn('channel', 'text', (c) => c.notNull().references('channels.id'))
    .addColumn('kind', 'text', (c) => c.notNull().check(sql`kind in ('deposit', 'settle', 'charge', 'earn')`))
    .addColumn('request_id', 'text', (c) => c.references('requests.request_id'))
    .addColumn('amount', 'integer', (c) => c.notNull().check(sql`amount >= 0`))
    // No request is ever charged twice, and no worker is credited twice for one.
    .addUniqueConstraint('once_per_request', ['request_id', 'kind'])
    .modifyEnd(strict)
    .execute()
}

/**
 * Channels that their clients sign, keys that rotate, channels that are frozen. Only what can be added to a table as
 * it stands, so that no row is copied and the same statements run everywhere.
 */
async function addClientSigned(schema: SchemaModule): Promise<void> {
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
    .addColumn('accepted', 'integer', (c) =>
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
    .addColumn('until', 'integer', (c) => c.notNull())
    .modifyEnd(sql`strict`)
    .execute()
  // Pages of one payer's receipts in the order of charging, without a walk past everybody else's.
  await schema
    .createIndex('entries_charges')
    .on('entries')
    .columns(['channel', 'seq'])
    .where(sql.ref('kind'), '=', sql.lit('charge'))
    .execute()
}

const migrations: Record<string, Migration> = {
  '001-ledger': { up: (database) => createTables(database.schema) },
  '002-client-signed': { up: (database) => addClientSigned(database.schema) },
}

/** The ledger's migrations, in the order of their names. A released one is never edited: add the next. */
export const migrationProvider: MigrationProvider = { getMigrations: async () => migrations }
