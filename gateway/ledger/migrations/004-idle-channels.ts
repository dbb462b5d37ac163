import { sql } from 'kysely'
import type { Migrating } from './dialect.ts'

/** For how long nobody has used a worker's channel, as the gateway counts it. */
export async function addIdleSeconds({ schema, int64 }: Migrating): Promise<void> {
  await schema
    .alterTable('channels')
    .addColumn('idle_seconds', int64, (c) => c.notNull().defaultTo(0).check(sql`idle_seconds >= 0`))
    .execute()
}
