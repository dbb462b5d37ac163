/** Messages between the ledger's face and its database thread: plain data, copied by structured clone. */

import type { LedgerErrorCode } from './errors.ts'
import type {
  ApiKey,
  AuditReport,
  ChannelRecord,
  ChannelState,
  ChargeResult,
  KeyLimits,
  LedgerPlace,
  NewChannel,
  OpenReservation,
  SignedReceipt,
  StoredReceipt,
} from './types.ts'
import type { PageQuery, PageRows } from './verify/pages.ts'

/** A reservation with the number of its request. */
export interface ReserveRow extends OpenReservation {
  seq: bigint
}

/** What the book knows of a request that ends, and the file has to know as well. */
export type EndingRow = Pick<ReserveRow, 'seq' | 'requestId' | 'channel' | 'maxCharge'>

export interface ReleaseRow extends EndingRow {
  reason: string
}

export interface AssignRow extends Pick<ReserveRow, 'seq' | 'requestId'> {
  workerId: string
  workerBoot: string
}

export interface ChargeRow extends EndingRow {
  clientCharge: bigint
  workerCharge: bigint
  workerChannel: string
  receipt: SignedReceipt
  receiptDigest: string
  clientCeiling: bigint
  workerCeiling: bigint
  workerOwed: bigint
  workerId: string
}

/** A newly signed voucher. */
export interface VoucherRow {
  channel: string
  ceiling: bigint
  signature: Uint8Array
}

/** What the face's book holds for a channel after the batch; the thread's own sums must come to the same. */
export interface ExpectedTotals {
  channel: string
  charged: bigint
  reserved: bigint
}

/** Everything that was waiting: one transaction, one fsync. */
export interface Batch {
  at: number
  commands: Command[]
  reserves: ReserveRow[]
  assigns: AssignRow[]
  charges: ChargeRow[]
  releases: ReleaseRow[]
  vouchers: VoucherRow[]
  expected: ExpectedTotals[]
  queries: Query[]
}

/** Rare writes. Each checks before it writes, so that its refusal leaves nothing behind. */
export type Command =
  | { do: 'putChannel'; channel: NewChannel }
  | { do: 'deposited'; channel: string; deposited: bigint }
  | { do: 'settled'; channel: string; settled: bigint }
  | { do: 'state'; channel: string; state: ChannelState }
  | { do: 'freeze'; channel: string; reason: string | null }
  | { do: 'idle'; channel: string; seconds: number }
  | { do: 'accept'; channel: string; ceiling: bigint; signature: Uint8Array }
  | { do: 'createKey'; id: string; hash: string; name: string; channel: string; limits: KeyLimits }
  | { do: 'channelKey'; id: string; channel: string }
  | { do: 'rotateKey'; id: string; hash: string; until: number }
  | { do: 'keyLimits'; id: string; limits: KeyLimits }
  | { do: 'revokeKey'; id: string }
  | { do: 'moveKeys'; from: string; to: string }

/** Reads, answered after the batch's writes are durable. */
export type Query =
  | { ask: 'channel'; id: string }
  | { ask: 'channels' }
  | { ask: 'voucherAbove'; channel: string; ceiling: bigint }
  | { ask: 'cameTo'; channel: string; sum: bigint }
  | { ask: 'keyByHash'; hash: string; now: number }
  | { ask: 'keyById'; id: string }
  | { ask: 'keys' }
  | { ask: 'request'; requestId: string }
  | { ask: 'receipt'; requestId: string }
  | { ask: 'receipts'; channel: string; after: string | undefined; limit: number }
  | { ask: 'audit' }
  | { ask: 'page'; query: PageQuery }

/** The key of a secret; one that was replaced finds it only before `until` (ms). */
export interface FoundKey {
  key: ApiKey
  until?: number
}

/** How a request that is no longer open ended. */
export interface EndedRequest {
  state: 'charged' | 'released'
  charge?: ChargeResult
}

export interface Refused {
  refused: { code: LedgerErrorCode; message: string }
}

/** What a command answers that is not carried out. */
export const refuse = (code: LedgerErrorCode, message: string): Refused => ({ refused: { code, message } })

export type CommandReply = ChannelRecord | ApiKey | Refused
export type QueryReply =
  | ChannelRecord
  | ChannelRecord[]
  | ApiKey
  | ApiKey[]
  | FoundKey
  | EndedRequest
  | StoredReceipt
  | StoredReceipt[]
  | AuditReport
  | PageRows
  | Refused
  | { signedAt: number }
  | { came: boolean }
  | undefined

export interface BatchReply {
  commands: CommandReply[]
  /** Reservations whose request id was used before. */
  duplicates: string[]
  queries: QueryReply[]
}

/** The state from which the face starts. */
export interface Opening {
  channels: ChannelRecord[]
  open: ReserveRow[]
  /** Number of the newest request. */
  lastSeq: bigint
  /** By API key: nanotons charged and held for requests that began on or after `dayStart`. */
  dayTotals: { key: string; total: bigint }[]
}

export type ToThread = { batch: Batch } | { close: true }
export type FromThread =
  | { opened: Opening }
  | { openFailed: { code: LedgerErrorCode; message: string } }
  | { reply: BatchReply }
  | { log: LogReport }
  | { fatal: string }

/** Whether the log that every commit goes into first is written back into the file; told when that changes. */
export interface LogReport {
  /** `full`: it fails, and the log has become so long that nothing may begin that makes it longer. */
  state: 'fine' | 'failing' | 'full'
  /** Pages of 4 KiB that wait in the log. */
  pages: number
  /** What the database says, empty while all is well. */
  problem: string
}

export interface ThreadData {
  place: LedgerPlace
  dayStart: number
  /** See `LedgerSettings.logLimit`. */
  logLimit: number | undefined
}
