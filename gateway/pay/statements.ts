/** What the gateway says about payments and channels, as x402 writes it. */

import {
  CHANNEL_CODE_HASH,
  type ChannelStateJson,
  channelParamsToJson,
  MAX_REQUEST_SECONDS,
  type PaymentRequired,
  type PaymentResponse,
  paymentNetwork,
  type VoucherStateJson,
  X402_ASSET,
  X402_SCHEME,
  X402_VERSION,
} from '../../contracts/index.ts'
import type { ChannelRecord } from '../ledger/index.ts'
import type { ClientChannel, ClientTerms } from './channels.ts'

/** A payment's channel with its numbers at one moment. */
export interface Standing {
  readonly channel: ClientChannel
  readonly record: ChannelRecord
  /** When the challenge period of a close ends, Unix seconds; 0 while the chain knows of no close. */
  readonly closeAt: number
}

/** What a 402 is about. Amounts are nanotons. */
export interface RequiredTerms {
  /** URL of what was asked for. */
  url: string
  /** As in the error's body. */
  error: string
  /** Most that the request may cost; the least deposit where nobody has looked at the request. */
  amount?: bigint | undefined
  /** The least ceiling that would admit it. */
  ceiling?: bigint | undefined
}

/** What came of a paid request. */
export interface ResponseTerms {
  success: boolean
  errorReason?: string | undefined
  /** Id that the request was charged under. */
  requestId: string
  /** Nanotons, once they are known. */
  charged?: bigint | undefined
}

/** The JSON of PAYMENT-REQUIRED. @param standing of the channel that was not enough */
export function requiredStatement(
  globalId: number,
  { payee, payeeKey, challengeSeconds, minDeposit }: ClientTerms,
  { url, error, amount = minDeposit, ceiling }: RequiredTerms,
  standing?: Standing,
): PaymentRequired {
  const extra = {
    codeHash: CHANNEL_CODE_HASH,
    payeeKey: Buffer.from(payeeKey).toString('hex'),
    challengeSeconds,
    minDeposit: minDeposit.toString(),
    ...(ceiling !== undefined && { ceiling: ceiling.toString() }),
    ...(standing && states(standing)),
  }
  const requirements = {
    scheme: X402_SCHEME,
    network: paymentNetwork(globalId),
    amount: amount.toString(),
    asset: X402_ASSET,
    payTo: payee.toRawString(),
    maxTimeoutSeconds: MAX_REQUEST_SECONDS,
    extra,
  } as const
  return { x402Version: X402_VERSION, error, resource: { url }, accepts: [requirements] }
}

/** The JSON of PAYMENT-RESPONSE. */
export function responseStatement(
  globalId: number,
  standing: Standing,
  { success, errorReason, requestId, charged }: ResponseTerms,
): PaymentResponse {
  return {
    success,
    ...(errorReason !== undefined && { errorReason }),
    transaction: '',
    network: paymentNetwork(globalId),
    payer: standing.channel.params.payer.toRawString(),
    amount: '',
    extra: {
      ...(charged !== undefined && { chargedAmount: charged.toString() }),
      requestId,
      ...states(standing),
    },
  }
}

/** What the bearer of a channel's voucher key may know of it. */
export function channelStatement(globalId: number, standing: Standing) {
  const { channel, record, closeAt } = standing
  return {
    object: 'channel' as const,
    id: channel.id,
    network: paymentNetwork(globalId),
    params: channelParamsToJson(channel.params),
    state: record.state,
    deposited: record.deposited.toString(),
    settled: record.settled.toString(),
    charged: record.charged.toString(),
    reserved: record.reserved.toString(),
    close_at: closeAt,
    voucher: states(standing).voucherState ?? null,
  }
}

function states({ channel, record, closeAt }: Standing): {
  channelState: ChannelStateJson
  voucherState?: VoucherStateJson
} {
  const { deposited, settled, charged, ceiling, voucher } = record
  const channelState = {
    channelId: channel.id,
    balance: deposited.toString(),
    totalClaimed: settled.toString(),
    withdrawRequestedAt: closeAt,
    chargedCumulativeAmount: charged.toString(),
  }
  if (!voucher) return { channelState }
  const signature = Buffer.from(voucher).toString('base64')
  return { channelState, voucherState: { signedMaxClaimable: ceiling.toString(), signature } }
}
