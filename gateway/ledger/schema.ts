import type { Generated, Kysely } from 'kysely'

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
    idle_seconds: bigint
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
  /** Secrets that were replaced: each works until its grace is over, and makes no other key ever after. */
  retired_secrets: { secret_sha256: string; api_key: string; until: bigint }
  requests: {
    /** Grows with each request, so that whatever refers to it is written at the end of its index. */
    seq: bigint
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
  /** `request` is `requests.seq`, here and in `entries`. */
  receipts: { request: bigint; payload: string; signature: string; digest: string }
  entries: {
    seq: Generated<bigint>
    at: bigint
    channel: string
    kind: string
    request: bigint | null
    amount: bigint
  }
}

export type Database = Kysely<Tables>
