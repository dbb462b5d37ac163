import type { Tx } from './commit.ts'
import { channelById } from './queries.ts'
import { toKey } from './rows.ts'
import type { ApiKey, ChannelRecord } from './types.ts'
import type { Command, CommandReply, Refused } from './wire.ts'

const refuse = (code: Refused['refused']['code'], message: string): Refused => ({
  refused: { code, message },
})

/** Runs one rare write inside the batch's transaction. A refusal comes before anything is written. */
export async function runCommand(tx: Tx, command: Command, at: number): Promise<CommandReply> {
  switch (command.do) {
    case 'putChannel':
      return await putChannel(tx, command.channel, at)
    case 'deposited':
      return await raise(tx, command.channel, 'deposited', command.deposited, at)
    case 'settled':
      return await raise(tx, command.channel, 'settled', command.settled, at)
    case 'state':
      return await setState(tx, command)
    case 'createKey':
      return await createKey(tx, command, at)
    case 'revokeKey':
      return await revokeKey(tx, command.id, at)
    case 'moveKeys':
      return await moveKeys(tx, command.from, command.to)
  }
}

/** Adds a channel, or accepts the repetition of one that is known. Sums of a known one are left as they are. */
async function putChannel(
  tx: Tx,
  channel: Extract<Command, { do: 'putChannel' }>['channel'],
  at: number,
): Promise<ChannelRecord | Refused> {
  const known = await channelById(tx, channel.id)
  if (known) {
    const same =
      known.address === channel.address && known.role === channel.role && known.params === channel.params
    if (same) return known
    return refuse(
      'ERR_CHANNEL_CONFLICT',
      `channel ${channel.id} is known with another address, role or parameters`,
    )
  }
  const taken = await tx
    .selectFrom('channels')
    .select('id')
    .where('address', '=', channel.address)
    .executeTakeFirst()
  if (taken)
    return refuse('ERR_CHANNEL_CONFLICT', `address ${channel.address} is known as channel ${taken.id}`)
  const { id, address, role, params } = channel
  const sums = { deposited: 0n, settled: 0n, charged: 0n, reserved: 0n, ceiling: 0n }
  await tx
    .insertInto('channels')
    .values({ id, address, role, params, state: 'open', ...sums, created_at: BigInt(at) })
    .execute()
  await raise(tx, id, 'deposited', channel.deposited, at)
  return await raise(tx, id, 'settled', channel.settled ?? 0n, at)
}

const ENTRY_OF = { deposited: 'deposit', settled: 'settle' } as const

/** Raises a total that was read back from the chain and books the difference. Such totals never fall. */
async function raise(
  tx: Tx,
  id: string,
  total: 'deposited' | 'settled',
  value: bigint,
  at: number,
): Promise<ChannelRecord | Refused> {
  const channel = await channelById(tx, id)
  if (!channel) return refuse('ERR_UNKNOWN_CHANNEL', `channel ${id} is not in the ledger`)
  const difference = value - channel[total]
  if (difference === 0n) return channel
  if (difference < 0n) {
    return refuse(
      'ERR_LEDGER_INPUT',
      `${total} of channel ${id} cannot fall from ${channel[total]} to ${value}`,
    )
  }
  if (total === 'settled' && value > channel.deposited) {
    return refuse(
      'ERR_LEDGER_INPUT',
      `settled of channel ${id} cannot pass its deposit of ${channel.deposited}`,
    )
  }
  await tx
    .updateTable('channels')
    .set({ [total]: value })
    .where('id', '=', id)
    .execute()
  const entry = { at: BigInt(at), channel: id, kind: ENTRY_OF[total], request_id: null, amount: difference }
  await tx.insertInto('entries').values(entry).execute()
  return { ...channel, [total]: value }
}

/** Channels close for good: a state never goes back. */
async function setState(
  tx: Tx,
  command: Extract<Command, { do: 'state' }>,
): Promise<ChannelRecord | Refused> {
  const channel = await channelById(tx, command.channel)
  if (!channel) return refuse('ERR_UNKNOWN_CHANNEL', `channel ${command.channel} is not in the ledger`)
  const order = ['open', 'closing', 'closed']
  if (order.indexOf(command.state) <= order.indexOf(channel.state)) return channel
  await tx.updateTable('channels').set({ state: command.state }).where('id', '=', channel.id).execute()
  return { ...channel, state: command.state }
}

/** Adds a key; the same secret again gives the key that it made, so that a crash in between does no harm. */
async function createKey(
  tx: Tx,
  command: Extract<Command, { do: 'createKey' }>,
  at: number,
): Promise<ApiKey | Refused> {
  const known = await tx
    .selectFrom('api_keys')
    .selectAll()
    .where('secret_sha256', '=', command.hash)
    .executeTakeFirst()
  if (known) return toKey(known)
  const channel = await channelById(tx, command.channel)
  if (channel?.role !== 'client') {
    return refuse('ERR_UNKNOWN_CHANNEL', `channel ${command.channel} is not a client channel of this ledger`)
  }
  const { limits } = command
  const row = {
    id: command.id,
    secret_sha256: command.hash,
    name: command.name,
    channel: command.channel,
    per_request: limits.perRequest ?? null,
    per_day: limits.perDay ?? null,
    expires_at: limits.expiresAt === undefined ? null : BigInt(limits.expiresAt),
    models: limits.models ? JSON.stringify(limits.models) : null,
    created_at: BigInt(at),
    revoked_at: null,
  }
  await tx.insertInto('api_keys').values(row).execute()
  return toKey(row)
}

async function revokeKey(tx: Tx, id: string, at: number): Promise<ApiKey | Refused> {
  await tx
    .updateTable('api_keys')
    .set({ revoked_at: BigInt(at) })
    .where('id', '=', id)
    .where('revoked_at', 'is', null)
    .execute()
  const row = await tx.selectFrom('api_keys').selectAll().where('id', '=', id).executeTakeFirst()
  return row ? toKey(row) : refuse('ERR_UNKNOWN_KEY', `API key ${id} is not in the ledger`)
}

async function moveKeys(tx: Tx, from: string, to: string): Promise<ChannelRecord | Refused> {
  const channel = await channelById(tx, to)
  if (channel?.role !== 'client') {
    return refuse('ERR_UNKNOWN_CHANNEL', `channel ${to} is not a client channel of this ledger`)
  }
  await tx.updateTable('api_keys').set({ channel: to }).where('channel', '=', from).execute()
  return channel
}
