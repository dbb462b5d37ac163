import type { Selectable } from 'kysely'
import type { Tables } from './schema.ts'
import type { ApiKey, ChannelRecord, KeyLimits } from './types.ts'

/** Turns a row of `channels`, joined with its newest voucher, into the public record. */
export function toChannel(row: Selectable<Tables['channels']>, voucher: Uint8Array | null): ChannelRecord {
  return {
    id: row.id,
    address: row.address,
    role: row.role === 'client' ? 'client' : 'worker',
    signer: row.signer === 'client' ? 'client' : 'gateway',
    params: row.params,
    state: row.state === 'open' || row.state === 'closing' ? row.state : 'closed',
    frozen: row.frozen,
    deposited: row.deposited,
    settled: row.settled,
    charged: row.charged,
    reserved: row.reserved,
    ceiling: ceilingOf(row),
    voucher,
    idleSeconds: Number(row.idle_seconds),
  }
}

/** The highest ceiling that its signer, client or gateway, has signed. */
export const ceilingOf = (
  row: Pick<Selectable<Tables['channels']>, 'signer' | 'accepted' | 'ceiling'>,
): bigint => (row.signer === 'client' ? row.accepted : row.ceiling)

/** An API key as the rest of the gateway sees it. */
export function toKey(row: Selectable<Tables['api_keys']>): ApiKey {
  const limits: KeyLimits = {
    ...(row.per_request !== null && { perRequest: row.per_request }),
    ...(row.per_day !== null && { perDay: row.per_day }),
    ...(row.expires_at !== null && { expiresAt: Number(row.expires_at) }),
    ...(row.models !== null && { models: parseModels(row.models) }),
  }
  return {
    id: row.id,
    name: row.name,
    channel: row.channel,
    limits,
    createdAt: Number(row.created_at),
    revokedAt: row.revoked_at === null ? null : Number(row.revoked_at),
  }
}

/** A list that does not parse allows no model, rather than every one. */
function parseModels(text: string): string[] {
  const parsed: unknown = JSON.parse(text)
  return Array.isArray(parsed) ? parsed.filter((model) => typeof model === 'string') : []
}
