import { randomBytes } from 'node:crypto'
import { Address } from '@ton/core'
import {
  CHANNEL_CODE_HASH,
  type ChannelParams,
  type ChannelParamsJson,
  channelAddress,
  channelParamsFromJson,
  channelParamsToJson,
  DEFAULT_SETTLE_POLICY,
  type SettlePolicy,
} from '../../contracts/index.ts'
import type { PaymentTerms } from '../../worker/protocol/link.ts'
import type { ChannelRecord, NewChannel } from '../ledger/index.ts'
import { TreasuryError } from './errors.ts'

/**
 * How long after it was planned a channel may be opened, in seconds. A crash in between has to be over by then, else
 * another one is planned; and no channel that ends gives its deposit back before.
 */
const OPEN_WITHIN = 3600
/** Below this, in nanotons, a claim is hardly worth the fees of its settle (0.001 TON in 2026). */
export const DUST = 2_000_000n

/** Amounts and times that the treasury works with. Amounts are nanotons. */
export interface TreasuryTerms {
  /** First deposit of the demonstration's client channel. */
  clientDeposit: bigint
  /** First deposit of a worker's channel, and what is added when it runs low. */
  workerDeposit: bigint
  /** Kept on each wallet beyond what is sent, for fees. */
  walletFloat: bigint
  /** Most of a client's deposit that is ever used, as the gateway alone signs its vouchers. */
  delegatedCap: bigint
  /** Worker channels that hold money at once: with `workerDeposit`, the most that workers can tie up by joining. */
  maxWorkerChannels: number
  /** After so long without use, in seconds, a worker's channel is ended. */
  workerIdleSeconds: number
  /** Challenge period of the channels that are opened here, in seconds. */
  challengeSeconds: number
  /** When client channels are settled. */
  settle: SettlePolicy
  /** How long a channel is served without a look at the chain, in seconds; well below any challenge period. */
  outageSeconds: number
  /** How often each channel is looked at on a chain that counts requests, in seconds; a local one: at every watch. */
  lookSeconds: number
}

const TON = 1_000_000_000n

export const DEFAULT_TERMS: TreasuryTerms = {
  clientDeposit: 10n * TON,
  workerDeposit: 5n * TON,
  walletFloat: TON,
  delegatedCap: 100n * TON,
  maxWorkerChannels: 64,
  workerIdleSeconds: 7 * 86_400,
  challengeSeconds: 3600,
  settle: DEFAULT_SETTLE_POLICY,
  outageSeconds: 900,
  lookSeconds: 60,
}

/** Parameters of a channel that nobody has opened yet. */
export function planParams(
  parties: Pick<ChannelParams, 'payer' | 'payee' | 'voucherKey' | 'payeeKey'>,
  terms: TreasuryTerms,
  chainNow: number,
): ChannelParams {
  const { challengeSeconds } = terms
  return { ...parties, challengeSeconds, openUntil: chainNow + OPEN_WITHIN, salt: randomBytes(32) }
}

/** How a channel goes into the ledger before it exists: its id is its raw address, its deposit 0. */
export function newChannel(role: ChannelRecord['role'], params: ChannelParams): NewChannel {
  const id = channelAddress(params).toRawString()
  return { id, address: id, role, params: JSON.stringify(channelParamsToJson(params)), deposited: 0n }
}

/**
 * The parameters of a channel of the ledger.
 *
 * @throws TreasuryError `ERR_TREASURY_CHANNEL` when its address does not follow from them
 */
export function paramsOf(record: ChannelRecord): ChannelParams {
  const params = channelParamsFromJson(JSON.parse(record.params))
  if (channelAddress(params).toRawString() === record.address) return params
  throw new TreasuryError(
    'ERR_TREASURY_CHANNEL',
    `channel ${record.id}: its address does not follow from its parameters and the channel code of this version`,
  )
}

/** Whether a channel's payer is this wallet. */
export function isPaidBy(record: ChannelRecord, payer: Address): boolean {
  return paramsOf(record).payer.equals(payer)
}

/**
 * Whether it is a client channel that somebody else's wallet pays into. Read from the parameters as they were written, as
 * it is asked of every channel at every look.
 */
export function isOthers({ role, params }: ChannelRecord, own: Address): boolean {
  return role === 'client' && (JSON.parse(params) as ChannelParamsJson).payer !== own.toRawString()
}

/**
 * Whether one more worker channel may be opened. Joining costs a worker nothing and a new channel costs us its deposit, so
 * there are only so many. An address alone says nothing of who joins: it is public, and several workers may be paid there.
 *
 * @throws TreasuryError `ERR_TREASURY_LIMIT`
 */
export function checkRoom(channels: readonly ChannelRecord[], most: number): void {
  const held = channels.filter(
    ({ role, state, deposited }) => role === 'worker' && state !== 'closed' && deposited > 0n,
  )
  if (held.length < most) return
  throw new TreasuryError(
    'ERR_TREASURY_LIMIT',
    `${held.length} worker channels hold money, the most that this gateway opens: try again in some hours, those that nobody uses end in time`,
  )
}

/** What a worker is told of the channel that pays it. */
export function paymentTerms(record: ChannelRecord, globalId: number): PaymentTerms {
  const { ceiling, voucher } = record
  return {
    channel: record.address,
    globalId,
    codeHash: CHANNEL_CODE_HASH,
    params: channelParamsToJson(paramsOf(record)),
    ...(voucher && {
      voucher: { ceiling: ceiling.toString(), signature: Buffer.from(voucher).toString('base64') },
    }),
  }
}

/**
 * A worker's payout address, in any of TON's notations.
 *
 * @throws TreasuryError `ERR_TREASURY_PAYOUT`
 */
export function parsePayout(text: string): Address {
  let address: Address | undefined
  try {
    address = Address.parse(text)
  } catch {
    // Said below: the parser's own words are about checksums and lengths.
  }
  if (address?.workChain === 0) return address
  throw new TreasuryError('ERR_TREASURY_PAYOUT', 'payoutAddress: not an address of TON’s basechain')
}
