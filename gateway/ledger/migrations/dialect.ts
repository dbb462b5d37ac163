import {
  type ColumnDefinitionBuilder,
  type Kysely,
  PostgresAdapter,
  type RawBuilder,
  type SchemaModule,
  sql,
} from 'kysely'

/** What a migration works with: the tables are the same in both databases, their types are not called the same. */
export interface Migrating {
  readonly database: Kysely<unknown>
  readonly schema: SchemaModule
  /** 64 bits with sign. */
  readonly int64: 'integer' | 'bigint'
  readonly bytes: 'blob' | 'bytea'
  /** Ends a table: SQLite then holds each column to its type, as PostgreSQL always does. */
  readonly strict: RawBuilder<unknown>
  /** Makes an `int64` column the primary key that the database fills by itself: ever higher, as no row goes. */
  readonly numbered: (column: ColumnDefinitionBuilder) => ColumnDefinitionBuilder
}

export function migrating(database: Kysely<unknown>): Migrating {
  const { schema } = database
  if (isPostgres(database)) {
    const numbered: Migrating['numbered'] = (c) => c.primaryKey().generatedAlwaysAsIdentity()
    return { database, schema, int64: 'bigint', bytes: 'bytea', strict: sql``, numbered }
  }
  const numbered: Migrating['numbered'] = (c) => c.primaryKey()
  return { database, schema, int64: 'integer', bytes: 'blob', strict: sql`strict`, numbered }
}

/** Whether the ledger is in PostgreSQL; in SQLite otherwise. */
// biome-ignore lint/suspicious/noExplicitAny: the tables of the database do not matter here
export const isPostgres = (database: Kysely<any>): boolean =>
  database.getExecutor().adapter instanceof PostgresAdapter
