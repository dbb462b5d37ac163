/** The file of a channel's state: its tables, and what a row of them means. */

import { chmodSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import type { RequestBounds } from '../../worker/protocol/index.ts'
import { SidecarError, type SidecarErrorCode } from './errors.ts'

/**
 * How a request stands: `open` may be charged still, `void` ended without a charge, `denied` was refused by the
 * gateway and must not be charged, `charged` is proven and counted.
 */
export type RequestState = 'open' | 'void' | 'denied' | 'charged'

/** A paid request. Amounts are nanotons. */
export interface PaidRequest {
  /** See `RequestIds`. */
  n: number
  /** The ledger's id, which the receipt names. */
  requestId: string
  path: string
  /** Most that it was allowed to cost. */
  cap: bigint
  /** What its body can cost in tokens; absent where that could not be told. */
  bounds?: RequestBounds
  state: RequestState
  charged: bigint
  /** Of the receipt, hex; empty without one. */
  digest: string
  /** Unix ms. */
  at: number
}

/** Why nothing is signed any more. */
export interface Halt {
  code: SidecarErrorCode
  message: string
  /** File with what it rests on; absent where that could not be written. */
  evidence?: string
  /** Unix ms. */
  at: number
}

/** The ledger of the gateway as far as it was gone through, in its order. */
export interface Cursor {
  /** The last request of it; empty at the beginning. */
  after: string
  /** Sum of charges up to it. */
  total: bigint
}

const VERSION = 1

const SCHEMA = `
  CREATE TABLE channel (
    id INTEGER PRIMARY KEY CHECK (id = 1), address TEXT NOT NULL, ceiling TEXT NOT NULL, signature BLOB NOT NULL,
    deposited TEXT NOT NULL, cursor TEXT NOT NULL, cursor_total TEXT NOT NULL,
    reserved INTEGER NOT NULL, behind INTEGER NOT NULL, halt TEXT NOT NULL
  ) STRICT;
  CREATE TABLE requests (
    n INTEGER PRIMARY KEY, request_id TEXT NOT NULL UNIQUE, path TEXT NOT NULL, cap TEXT NOT NULL, bounds TEXT NOT NULL,
    state TEXT NOT NULL, charged TEXT NOT NULL, digest TEXT NOT NULL, at INTEGER NOT NULL, listed INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX requests_open ON requests (n) WHERE state = 'open';
  PRAGMA user_version = ${VERSION};
`

/** The one row about the channel, as the file has it. */
export interface ChannelRow {
  address: string
  ceiling: string
  signature: Uint8Array
  deposited: string
  cursor: string
  cursor_total: string
  reserved: number
  behind: number
  halt: string
}

interface RequestRow {
  n: number
  request_id: string
  path: string
  cap: string
  bounds: string
  state: RequestState
  charged: string
  digest: string
  at: number
}

/**
 * Opens a channel's state, made (0600) when it is not there. It is written ahead (WAL).
 *
 * @param file a path, or `:memory:`
 * @param address raw address of the channel
 * @returns fresh: whether the file was new
 * @throws SidecarError ERR_SIDECAR_STATE for a file of another channel or a newer program
 */
export function openStateFile(
  file: string,
  address: string,
): { db: DatabaseSync; channel: ChannelRow; fresh: boolean } {
  const db = new DatabaseSync(file)
  try {
    db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA busy_timeout = 5000;')
    if (file !== ':memory:') chmodSync(file, 0o600)
    const fresh = migrate(db, file, address)
    const channel = db.prepare('SELECT * FROM channel WHERE id = 1').get() as unknown as ChannelRow
    if (channel.address !== address)
      throw new SidecarError('ERR_SIDECAR_STATE', `${file} belongs to another channel, ${channel.address}`)
    return { db, channel, fresh }
  } catch (error) {
    db.close()
    throw error
  }
}

/** Makes the tables of a new file. @returns whether it was new */
function migrate(db: DatabaseSync, file: string, address: string): boolean {
  const { user_version: version } = db.prepare('PRAGMA user_version').get() as { user_version: number }
  if (version > VERSION)
    throw new SidecarError('ERR_SIDECAR_STATE', `${file} was written by a newer program: run that one`)
  if (version === VERSION) return false
  db.exec(`BEGIN IMMEDIATE; ${SCHEMA}`)
  db.prepare("INSERT INTO channel VALUES (1, ?, '0', x'', '0', '', '0', 0, 0, '')").run(address)
  db.exec('COMMIT')
  return true
}

/** The request that a row is about. */
export function requestOf(row: Record<string, unknown>): PaidRequest {
  const {
    n,
    request_id: requestId,
    path,
    cap,
    bounds,
    state,
    charged,
    digest,
    at,
  } = row as unknown as RequestRow
  return {
    ...{ n, requestId, path, cap: BigInt(cap) },
    ...(bounds !== '' && { bounds: JSON.parse(bounds) as RequestBounds }),
    ...{ state, charged: BigInt(charged), digest, at },
  }
}
