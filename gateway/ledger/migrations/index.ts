import type { Kysely } from 'kysely'
import type { Migration, MigrationProvider } from 'kysely/migration'
import { createTables } from './001-ledger.ts'
import { addClientSigned } from './002-client-signed.ts'
import { numberRequests } from './003-numbered-requests.ts'
import { addIdleSeconds } from './004-idle-channels.ts'
import { type Migrating, migrating } from './dialect.ts'

const step = (run: (migration: Migrating) => Promise<void>): Migration => ({
  up: (database: Kysely<unknown>) => run(migrating(database)),
})

const migrations: Record<string, Migration> = {
  '001-ledger': step(createTables),
  '002-client-signed': step(addClientSigned),
  '003-numbered-requests': step(numberRequests),
  '004-idle-channels': step(addIdleSeconds),
}

/** The ledger's migrations, in the order of their names. A released one is never edited: add the next. */
export const migrationProvider: MigrationProvider = { getMigrations: async () => migrations }
