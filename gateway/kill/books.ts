/** @module The books of gateway and worker after a trial, read from copies of their files while both run on. */

import { copyFile, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { LOCAL_GLOBAL_ID } from '../../contracts/index.ts'
import { Ledger } from '../ledger/index.ts'

/** One request as the gateway's ledger has it. Nanotons. */
export interface RequestRow {
  readonly requestId: string
  readonly state: string
  /** Why it was let go; null when it was charged. */
  readonly reason: string | null
  readonly maxCharge: bigint
  readonly clientCharge: bigint
  readonly workerCharge: bigint
  /** Entries of a charge; more than one is a doubled charge. */
  readonly charges: number
  /** Unix ms. */
  readonly endedAt: number
}

/** Sums of one channel. Nanotons. */
export interface ChannelRow {
  readonly id: string
  readonly role: string
  readonly charged: bigint
  /** The highest that its signer, client or gateway, has signed. */
  readonly ceiling: bigint
}

/** What a worker's own file says of one channel. Nanotons. */
export interface EarnedRow {
  readonly channel: string
  readonly earned: bigint
  readonly ceiling: bigint
  readonly forgiven: bigint
}

/** A copy of the gateway's ledger, audited, as rows. */
export interface Books {
  readonly requests: ReadonlyMap<string, RequestRow>
  readonly channels: readonly ChannelRow[]
  /** What audit and verification found. */
  readonly faults: readonly string[]
}

/** Reads the ledger of a gateway that has nothing to do: its files are copied, then audited and read. */
export async function readBooks(dir: string): Promise<Books> {
  const folder = await mkdtemp(join(tmpdir(), 'chrysalis-books-'))
  try {
    const file = join(folder, 'ledger.sqlite')
    const source = join(dir, 'gateway', 'ledger.sqlite')
    await copyFile(source, file)
    await copyFile(`${source}-wal`, `${file}-wal`).catch(ignoreMissing)
    const faults = await audit(file)
    return { ...readRows(file), faults }
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** What the worker's file says, while the worker has it open, and how many receipts in it wait for the gateway. */
export function readEarnings(dir: string): { waiting: number; channels: EarnedRow[] } {
  const database = new DatabaseSync(join(dir, 'worker', 'receipts.sqlite'), { readOnly: true })
  try {
    const waiting = Number(database.prepare('SELECT count(*) AS n FROM receipts').get()?.n)
    const channels = database
      .prepare('SELECT address, earned, ceiling, forgiven FROM channels')
      .all()
      .map((row) => ({
        channel: String(row.address),
        earned: BigInt(String(row.earned)),
        ceiling: BigInt(String(row.ceiling)),
        forgiven: BigInt(String(row.forgiven)),
      }))
    return { waiting, channels }
  } finally {
    database.close()
  }
}

/** Adds the books up again, and holds each row against receipts and vouchers with their signatures. */
async function audit(file: string): Promise<string[]> {
  const faults: string[] = []
  const ledger = await Ledger.open({ file, now: Date.now, signVoucher: () => new Uint8Array(64) })
  try {
    await ledger.audit()
    await ledger.verify({
      globalId: LOCAL_GLOBAL_ID,
      onDifference: (difference) => faults.push(`ledger verify: ${JSON.stringify(difference)}`),
    })
  } catch (error) {
    faults.push((error as Error).message)
  } finally {
    await ledger.close()
  }
  return faults
}

const REQUESTS = `
  SELECT r.request_id, r.state, r.reason, r.max_charge, r.client_charge, r.worker_charge, r.ended_at,
    (SELECT count(*) FROM entries e WHERE e.request = r.seq AND e.kind = 'charge') AS charges
  FROM requests r`

function readRows(file: string): Pick<Books, 'requests' | 'channels'> {
  const database = new DatabaseSync(file, { readOnly: true })
  try {
    const requests = all(database, REQUESTS).map((row): [string, RequestRow] => [
      String(row.request_id),
      {
        requestId: String(row.request_id),
        state: String(row.state),
        reason: row.reason === null ? null : String(row.reason),
        maxCharge: BigInt(row.max_charge as bigint),
        clientCharge: BigInt((row.client_charge as bigint | null) ?? 0n),
        workerCharge: BigInt((row.worker_charge as bigint | null) ?? 0n),
        charges: Number(row.charges),
        endedAt: Number(row.ended_at),
      },
    ])
    const channels = all(
      database,
      'SELECT id, role, charged, ceiling + accepted AS ceiling FROM channels',
    ).map((row) => ({
      id: String(row.id),
      role: String(row.role),
      charged: BigInt(row.charged as bigint),
      ceiling: BigInt(row.ceiling as bigint),
    }))
    return { requests: new Map(requests), channels }
  } finally {
    database.close()
  }
}

function all(database: DatabaseSync, query: string): Record<string, unknown>[] {
  const statement = database.prepare(query)
  statement.setReadBigInts(true)
  return statement.all()
}

function ignoreMissing(error: NodeJS.ErrnoException): void {
  if (error.code !== 'ENOENT') throw error
}
