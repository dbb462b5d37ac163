import type { Tx } from './commit.ts'
import { channelKey, createKey, moveKeys, revokeKey, rotateKey, setKeyLimits } from './key-commands.ts'
import { channelById } from './queries.ts'
import type { ChannelRecord } from './types.ts'
import { type Command, type CommandReply, type Refused, refuse } from './wire.ts'

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
    case 'freeze':
      return await freeze(tx, command)
    case 'idle':
      return await setIdle(tx, command)
    case 'accept':
      return await accept(tx, command, at)
    case 'createKey':
      return await createKey(tx, command, at)
    case 'channelKey':
      return await channelKey(tx, command, at)
    case 'rotateKey':
      return await rotateKey(tx, command)
    case 'keyLimits':
      return await setKeyLimits(tx, command)
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
      known.address === channel.address &&
      known.role === channel.role &&
      known.signer === (channel.signer ?? 'gateway') &&
      known.params === channel.params
    if (same) return known
    return refuse(
      'ERR_CHANNEL_CONFLICT',
      `channel ${channel.id} is known with another address, role, signer or parameters`,
    )
  }
  const taken = await tx
    .selectFrom('channels')
    .select('id')
    .where('address', '=', channel.address)
    .executeTakeFirst()
  if (taken)
    return refuse('ERR_CHANNEL_CONFLICT', `address ${channel.address} is known as channel ${taken.id}`)
  const { id, address, role, params, signer = 'gateway' } = channel
  const sums = { deposited: 0n, settled: 0n, charged: 0n, reserved: 0n, ceiling: 0n, accepted: 0n }
  await tx
    .insertInto('channels')
    .values({
      id,
      address,
      role,
      signer,
      params,
      state: 'open',
      frozen: null,
      ...sums,
      created_at: BigInt(at),
      idle_seconds: 0n,
    })
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
  const entry = { at: BigInt(at), channel: id, kind: ENTRY_OF[total], request: null, amount: difference }
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

async function freeze(
  tx: Tx,
  { channel: id, reason }: Extract<Command, { do: 'freeze' }>,
): Promise<ChannelRecord | Refused> {
  const channel = await channelById(tx, id)
  if (!channel) return refuse('ERR_UNKNOWN_CHANNEL', `channel ${id} is not in the ledger`)
  await tx.updateTable('channels').set({ frozen: reason }).where('id', '=', id).execute()
  return { ...channel, frozen: reason }
}

async function setIdle(
  tx: Tx,
  { channel: id, seconds }: Extract<Command, { do: 'idle' }>,
): Promise<ChannelRecord | Refused> {
  const channel = await channelById(tx, id)
  if (!channel) return refuse('ERR_UNKNOWN_CHANNEL', `channel ${id} is not in the ledger`)
  await tx
    .updateTable('channels')
    .set({ idle_seconds: BigInt(seconds) })
    .where('id', '=', id)
    .execute()
  return { ...channel, idleSeconds: seconds }
}

/** Keeps a client's voucher. One that another has overtaken changes nothing. */
async function accept(
  tx: Tx,
  { channel: id, ceiling, signature }: Extract<Command, { do: 'accept' }>,
  at: number,
): Promise<ChannelRecord | Refused> {
  const channel = await channelById(tx, id)
  if (!channel) return refuse('ERR_UNKNOWN_CHANNEL', `channel ${id} is not in the ledger`)
  if (ceiling <= channel.ceiling) return channel
  await tx.updateTable('channels').set({ accepted: ceiling }).where('id', '=', id).execute()
  await tx
    .insertInto('vouchers')
    .values({ channel: id, ceiling, signature, created_at: BigInt(at) })
    .execute()
  return { ...channel, ceiling, voucher: signature }
}
