/** Whose money a channel holds: a client's for the gateway, or the gateway's for a worker. */
export type ChannelRole = 'client' | 'worker'

/** `open` takes reservations; `closing` and `closed` take none, but charges of running requests still count. */
export type ChannelState = 'open' | 'closing' | 'closed'

/**
 * Who signs a client channel's vouchers. `gateway`: delegated, the ledger signs what was charged. `client`: the payer
 * signs ahead of what is charged, and the ledger only keeps what it was given. A worker's channel is always `gateway`.
 */
export type ChannelSigner = 'gateway' | 'client'

/** A channel as the ledger knows it. All amounts are nanotons. */
export interface ChannelRecord {
  id: string
  /** Address on the chain. */
  address: string
  role: ChannelRole
  signer: ChannelSigner
  /** The parameters that its address follows from, as JSON: the ledger keeps them and does not read them. */
  params: string
  state: ChannelState
  /** Why it takes no reservations, whatever its state (see `Ledger.freeze`); null while nothing is wrong. */
  frozen: string | null
  /** Deposited on chain in all, read back from there. */
  deposited: bigint
  /** Paid out on chain so far. */
  settled: bigint
  /** Charged (client) or earned by the worker (worker) in all. */
  charged: bigint
  /** Held for running requests; always 0 for a worker's channel. */
  reserved: bigint
  /**
   * Highest ceiling signed; at most `deposited`. A worker's channel without room has `ceiling < charged`; one that its
   * client signs has `charged + reserved <= ceiling`.
   */
  ceiling: bigint
  /** The 64-byte signature over `ceiling`; null while the ceiling is 0. */
  voucher: Uint8Array | null
  /** For how long nobody has used it, as the treasury has counted: see `Ledger.setIdle`. */
  idleSeconds: number
}

/** What a caller tells about a new channel. */
export interface NewChannel {
  id: string
  address: string
  role: ChannelRole
  /** `gateway` unless told. */
  signer?: ChannelSigner
  params: string
  deposited: bigint
  settled?: bigint
}

/** Limits of one API key; an absent one does not limit. */
export interface KeyLimits {
  /** Most nanotons that one request may reserve. */
  perRequest?: bigint
  /** Most nanotons reserved and charged for requests that began on one UTC day. */
  perDay?: bigint
  /** Unix time in ms from which on the key is refused. */
  expiresAt?: number
  /** Ids of the models that it may use. */
  models?: readonly string[]
}

/** An API key. The secret itself is never stored, only its SHA-256. */
export interface ApiKey {
  /** `key_…`; `chan_…` for the account of a channel that its client signs, which no secret finds. */
  id: string
  name: string
  /** The client channel that it draws on. */
  channel: string
  limits: KeyLimits
  createdAt: number
  revokedAt: number | null
}

/** What `Ledger.receipts` gives: one page, in the order of charging. */
export interface ReceiptPage {
  /** Request id that the page comes after; from the first receipt when absent. */
  after?: string
  /** Most receipts in it: 1 to 1,000. */
  limit: number
}

/** The process that a request runs on: its receipts are sought there after a restart. */
export interface WorkerRef {
  id: string
  bootId: string
}

export interface ReserveRequest {
  requestId: string
  channel: string
  /** Id of the API key (`ApiKey.id`). */
  key: string
  worker: WorkerRef
  /** Nanotons held for the client's charge. */
  maxCharge: bigint
  /** Most that the worker may be paid for it; `maxCharge` when absent. */
  maxWorkerCharge?: bigint
  /** Checked against the key's list of models, if it has one. */
  model?: string
}

/** What it takes to see whether a request could be paid. */
export type PriceCheck = Pick<ReserveRequest, 'channel' | 'key' | 'maxCharge' | 'model'>

/** A reservation that is neither charged nor released. */
export interface OpenReservation {
  requestId: string
  channel: string
  key: string
  worker: WorkerRef
  maxCharge: bigint
  maxWorkerCharge: bigint
  createdAt: number
}

/** The receipt as signed by the worker's enclave: both parts base64url. */
export interface SignedReceipt {
  payload: string
  signature: string
}

export interface ChargeRequest {
  requestId: string
  /** Nanotons; at most the reservation's `maxCharge`. */
  clientCharge: bigint
  /** Nanotons; at most the reservation's `maxWorkerCharge`. */
  workerCharge: bigint
  /** The gateway → worker channel that the worker is paid on. */
  workerChannel: string
  receipt: SignedReceipt
  /** Hex. */
  receiptDigest: string
  /** The worker that signed, if it is not the one that the reservation names. */
  workerId?: string
}

/**
 * What one charge left behind. Ceilings are cumulative, and one voucher may cover several charges of one commit.
 * A voucher is null while nothing is owed on its channel (or its signer failed: see `LedgerOptions.onWarning`).
 */
export interface ChargeResult {
  clientCharge: bigint
  workerCharge: bigint
  clientCeiling: bigint
  clientVoucher: Uint8Array | null
  workerCeiling: bigint
  workerVoucher: Uint8Array | null
  /** What the worker has earned beyond its voucher, because its channel lacks room. */
  workerOwed: bigint
}

/** A receipt with the charge that it led to. */
export interface StoredReceipt {
  requestId: string
  channel: string
  key: string
  receipt: SignedReceipt
  /** Hex. */
  digest: string
  /** `WorkerRef.id` of the worker that signed: hex of its signing key. */
  signingKey: string
  /** Nanotons that the client's channel was charged. */
  charged: bigint
  /** Nanotons that the worker earned. */
  earned: bigint
  chargedAt: number
}

/** Sums that `audit` recomputed and found right. */
export interface AuditReport {
  channels: number
  entries: number
  requests: { open: number; charged: number; released: number }
  clientCharged: bigint
  workerCharged: bigint
  reserved: bigint
}

/** Where a ledger is kept: one of the two. */
export type LedgerPlace =
  | {
      /** Path of the SQLite file; made (0600) when absent. */
      file: string
      postgres?: undefined
    }
  | {
      /** Connection string of a PostgreSQL database, whose schema holds this ledger. It is never logged. */
      postgres: string
      file?: undefined
    }

export type LedgerOptions = LedgerPlace & LedgerSettings

export interface LedgerSettings {
  /** Wall clock in ms. */
  now: () => number
  /** Signs a voucher over a channel's new cumulative ceiling, in this thread. Its result is 64 bytes. */
  signVoucher: (channel: string, ceiling: bigint) => Uint8Array
  /**
   * Told of what goes on all the same and somebody should look into: a voucher could not be signed, so that its ceiling stays
   * behind what was charged; the log of a SQLite file cannot be written back (`ERR_LEDGER_CHECKPOINT`), or can be again.
   */
  onWarning?: (message: string, error: unknown) => void
  /**
   * Called when a commit failed (disk full, fsync error) or the database thread died. What is in memory is then no
   * longer known to be true, so the process has to end; the default says why on stderr and exits with status 70.
   */
  onFatal?: (error: Error) => void
  /**
   * Pages (4 KiB) in the log of a SQLite file from which on, while they cannot be written back, nothing is reserved;
   * 65,536 (256 MiB) unless told.
   */
  logLimit?: number
}
