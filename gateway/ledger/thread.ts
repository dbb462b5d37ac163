/**
 * The ledger's database thread: the only place that touches the database. It takes one batch at a time, writes it in one
 * transaction, and answers when the commit has been fsynced. Whatever goes wrong in a write ends the thread, and with
 * it the process: an fsync that failed once must never be tried again, as the kernel may have dropped the pages.
 */

import { parentPort, workerData } from 'node:worker_threads'
import { Migrator } from 'kysely/migration'
import { runCommand } from './commands.ts'
import { writeBatch } from './commit.ts'
import { LedgerError, type LedgerErrorCode } from './errors.ts'
import { migrationProvider } from './migrations/index.ts'
import { opening, runQuery } from './queries.ts'
import type { Database } from './schema.ts'
import { SqliteStore } from './sqlite.ts'
import type { Store } from './store.ts'
import type { Batch, BatchReply, FromThread, Query, QueryReply, ThreadData, ToThread } from './wire.ts'

const port = parentPort
if (!port) throw new Error('thread.ts is the ledger’s worker thread and is not run by itself')
const tell = (message: FromThread): void => port.postMessage(message)
const data = workerData as ThreadData

try {
  const store = await open(data)
  tell({ opened: await opening(store.database, data.dayStart) })
  port.on('message', (message: ToThread) => {
    const done = 'batch' in message ? run(store, message.batch) : close(store)
    done.catch(end)
  })
} catch (error) {
  const code: LedgerErrorCode = error instanceof LedgerError ? error.code : 'ERR_LEDGER_LOST'
  tell({ openFailed: { code, message: messageOf(error) } })
}

async function open({ place, logLimit }: ThreadData): Promise<Store> {
  const store =
    place.postgres === undefined
      ? SqliteStore.open(place.file, { onChange: (log) => tell({ log }), limit: logLimit })
      : await openPostgres(place.postgres)
  try {
    await migrate(store)
    await store.takeOver()
    return store
  } catch (error) {
    await store.close()
    throw error
  }
}

/** Its driver is loaded only by who uses it: every start waits for what it loads. */
async function openPostgres(connection: string): Promise<Store> {
  const { PostgresStore } = await import('./postgres.ts')
  return await PostgresStore.open(connection, end)
}

async function migrate(store: Store): Promise<void> {
  const { database: db, schema } = store
  const migrator = new Migrator({
    db,
    provider: migrationProvider,
    ...(schema !== undefined && { migrationTableSchema: schema }),
  })
  const { error } = await migrator.migrateToLatest()
  if (!error) return
  const known = Object.keys(await migrationProvider.getMigrations()).join(', ')
  throw new LedgerError(
    'ERR_LEDGER_VERSION',
    `the ledger cannot be brought to this program's version (it knows ${known}): ${messageOf(error)}`,
  )
}

async function run(store: Store, batch: Batch): Promise<void> {
  const { database } = store
  const written = await database.transaction().execute(async (tx): Promise<Omit<BatchReply, 'queries'>> => {
    await store.assertOwned()
    const commands: BatchReply['commands'] = []
    for (const command of batch.commands) commands.push(await runCommand(tx, command, batch.at))
    return { commands, duplicates: await writeBatch(store, tx, batch) }
  })
  const queries: QueryReply[] = []
  for (const query of batch.queries) queries.push(await answer(database, query))
  tell({ reply: { ...written, queries } })
  store.afterBatch()
}

/** An audit that finds something is an answer, not the end of the process: a person decides what to do. */
async function answer(database: Database, query: Query): Promise<QueryReply> {
  try {
    return await runQuery(database, query)
  } catch (error) {
    if (!(error instanceof LedgerError)) throw error
    return { refused: { code: error.code, message: error.message } }
  }
}

function end(error: unknown): void {
  tell({ fatal: messageOf(error) })
  process.exit(1)
}

async function close(store: Store): Promise<void> {
  await store.close()
  port?.close()
}

/** One of several addresses that were tried has no message of its own. */
function messageOf(error: unknown): string {
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ')
  return error instanceof Error ? error.message : String(error)
}
