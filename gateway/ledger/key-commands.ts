import type { Tx } from './commit.ts'
import { channelById } from './queries.ts'
import { toKey } from './rows.ts'
import type { ApiKey, ChannelRecord, KeyLimits } from './types.ts'
import { type Command, type Refused, refuse } from './wire.ts'

type Do<K extends Command['do']> = Extract<Command, { do: K }>

/** Columns of a key's limits. */
const limitColumns = (limits: KeyLimits) => ({
  per_request: limits.perRequest ?? null,
  per_day: limits.perDay ?? null,
  expires_at: limits.expiresAt === undefined ? null : BigInt(limits.expiresAt),
  models: limits.models ? JSON.stringify(limits.models) : null,
})

const keyById = (tx: Tx, id: string) =>
  tx.selectFrom('api_keys').selectAll().where('id', '=', id).executeTakeFirst()

const unknownKey = (id: string) => refuse('ERR_UNKNOWN_KEY', `API key ${id} is not in the ledger`)

/**
 * Adds a key; the same secret again gives the key that it made, so that a crash in between does no harm. So does one that
 * was replaced since: it must not come back to life as a new key.
 */
export async function createKey(tx: Tx, command: Do<'createKey'>, at: number): Promise<ApiKey | Refused> {
  const { id, hash, name, limits } = command
  const known = await keyOfSecret(tx, hash)
  if (known) return toKey(known)
  const channel = await delegatedChannel(tx, command.channel)
  if ('refused' in channel) return channel
  return await insertKey(tx, { id, secret_sha256: hash, name, channel: channel.id }, limits, at)
}

/** The account of a channel that its client signs, made when it is first asked for. No hash reads `none:…`. */
export async function channelKey(
  tx: Tx,
  { id, channel: of }: Do<'channelKey'>,
  at: number,
): Promise<ApiKey | Refused> {
  const known = await keyById(tx, id)
  if (known) return toKey(known)
  const channel = await channelById(tx, of)
  if (channel?.signer !== 'client') {
    return refuse('ERR_UNKNOWN_CHANNEL', `channel ${of} is not one that its client signs`)
  }
  return await insertKey(tx, { id, secret_sha256: `none:${id}`, name: 'client-signed', channel: of }, {}, at)
}

async function insertKey(
  tx: Tx,
  key: { id: string; secret_sha256: string; name: string; channel: string },
  limits: KeyLimits,
  at: number,
): Promise<ApiKey> {
  const row = { ...key, ...limitColumns(limits), created_at: BigInt(at), revoked_at: null }
  await tx.insertInto('api_keys').values(row).execute()
  return toKey(row)
}

/** The key that a secret belongs to, or did before it was replaced. */
async function keyOfSecret(tx: Tx, hash: string) {
  const keys = tx.selectFrom('api_keys').selectAll('api_keys')
  const present = await keys.where('secret_sha256', '=', hash).executeTakeFirst()
  if (present) return present
  return await keys
    .innerJoin('retired_secrets', 'retired_secrets.api_key', 'api_keys.id')
    .where('retired_secrets.secret_sha256', '=', hash)
    .executeTakeFirst()
}

/** Puts a new secret in the place of the present one, which goes on until `until` and is remembered for ever. */
export async function rotateKey(tx: Tx, { id, hash, until }: Do<'rotateKey'>): Promise<ApiKey | Refused> {
  const row = await keyById(tx, id)
  if (!row || row.secret_sha256.startsWith('none:')) return unknownKey(id)
  if (row.revoked_at !== null) return refuse('ERR_KEY_REVOKED', `API key ${id} is revoked: make a new one`)
  if (await keyOfSecret(tx, hash)) return refuse('ERR_LEDGER_INPUT', 'secret: was used before')
  const retired = { secret_sha256: row.secret_sha256, api_key: id, until: BigInt(until) }
  await tx.insertInto('retired_secrets').values(retired).execute()
  await tx.updateTable('api_keys').set({ secret_sha256: hash }).where('id', '=', id).execute()
  return toKey(row)
}

export async function setKeyLimits(tx: Tx, { id, limits }: Do<'keyLimits'>): Promise<ApiKey | Refused> {
  await tx.updateTable('api_keys').set(limitColumns(limits)).where('id', '=', id).execute()
  const row = await keyById(tx, id)
  return row ? toKey(row) : unknownKey(id)
}

export async function revokeKey(tx: Tx, id: string, at: number): Promise<ApiKey | Refused> {
  await tx
    .updateTable('api_keys')
    .set({ revoked_at: BigInt(at) })
    .where('id', '=', id)
    .where('revoked_at', 'is', null)
    .execute()
  const row = await keyById(tx, id)
  return row ? toKey(row) : unknownKey(id)
}

/** Keys that have a secret draw on another channel from now on; the account of a channel stays with it. */
export async function moveKeys(tx: Tx, from: string, to: string): Promise<ChannelRecord | Refused> {
  const channel = await delegatedChannel(tx, to)
  if ('refused' in channel) return channel
  await tx
    .updateTable('api_keys')
    .set({ channel: to })
    .where('channel', '=', from)
    .where('secret_sha256', 'not like', 'none:%')
    .execute()
  return channel
}

/** A channel that API keys may draw on: a client's, whose vouchers the gateway signs. */
async function delegatedChannel(tx: Tx, id: string): Promise<ChannelRecord | Refused> {
  const channel = await channelById(tx, id)
  if (channel?.role !== 'client') {
    return refuse('ERR_UNKNOWN_CHANNEL', `channel ${id} is not a client channel of this ledger`)
  }
  if (channel.signer === 'gateway') return channel
  return refuse('ERR_LEDGER_INPUT', `channel ${id} is signed by its client: API keys cannot draw on it`)
}
