/** One channel, one request and the headers around them, always the same bytes; contracts/x402.md prints them. */

import { Address } from '@ton/core'
import { LOCAL_GLOBAL_ID } from '../chain/types.ts'
import { CHANNEL_CODE_HASH } from '../channel/code.ts'
import { type ChannelParams, channelAddress, channelParamsToJson } from '../channel/params.ts'
import { privateKeyFromSeed, rawPublicKey } from '../voucher/keys.ts'
import { signVoucher } from '../voucher/voucher.ts'
import {
  type PaymentPayload,
  type PaymentRequestTerms,
  type PaymentRequired,
  type PaymentResponse,
  paymentNetwork,
  paymentRequestId,
  signPaymentRequest,
} from './index.ts'

/** The voucher key of the example: the seed 01…01. */
export const EXAMPLE_KEY = privateKeyFromSeed(Buffer.alloc(32, 1))

export const EXAMPLE_PARAMS: ChannelParams = {
  payer: new Address(0, Buffer.alloc(32, 0x0a)),
  payee: new Address(0, Buffer.alloc(32, 0x0b)),
  voucherKey: rawPublicKey(EXAMPLE_KEY),
  payeeKey: rawPublicKey(privateKeyFromSeed(Buffer.alloc(32, 2))),
  challengeSeconds: 3600,
  openUntil: 1_800_000_000,
  salt: Buffer.alloc(32, 3),
}

const channel = channelAddress(EXAMPLE_PARAMS)
const globalId = LOCAL_GLOBAL_ID
/** What the payee held, and what the payer signs when it hears that this is too little. */
const [before, after] = [voucher(5_000_000n), voucher(5_100_000n)]

export const EXAMPLE_REQUEST: PaymentRequestTerms = {
  globalId,
  channel,
  method: 'POST',
  path: '/v1/chat/completions',
  body: Buffer.from('{"model":"chrysalis/tiny","messages":[{"role":"user","content":"Hello"}]}'),
  id: 'example-request-0001',
  amount: 2_000_000n,
  expires: 1_799_999_000,
}

const channelState = {
  channelId: channel.toRawString(),
  balance: '1000000000',
  totalClaimed: '0',
  withdrawRequestedAt: 0,
  chargedCumulativeAmount: '3100000',
}
const terms = {
  scheme: 'batch-settlement' as const,
  network: paymentNetwork(globalId),
  amount: '2000000',
  asset: 'native' as const,
  payTo: EXAMPLE_PARAMS.payee.toRawString(),
  maxTimeoutSeconds: 300,
}

export const REQUIRED: PaymentRequired = {
  x402Version: 2,
  error: 'stale_ceiling',
  resource: { url: 'http://127.0.0.1:8787/v1/chat/completions', mimeType: 'application/json' },
  accepts: [
    {
      ...terms,
      extra: {
        codeHash: CHANNEL_CODE_HASH,
        payeeKey: Buffer.from(EXAMPLE_PARAMS.payeeKey).toString('hex'),
        challengeSeconds: 3600,
        minDeposit: '100000000',
        ceiling: '5100000',
        channelState,
        voucherState: { signedMaxClaimable: before.ceiling, signature: before.signature },
      },
    },
  ],
}

/** The request paid for, with the channel in full. */
export const PAYMENT: PaymentPayload = {
  x402Version: 2,
  accepted: terms,
  payload: {
    type: 'voucher',
    channel: channelParamsToJson(EXAMPLE_PARAMS),
    voucher: after,
    request: signPaymentRequest(EXAMPLE_KEY, EXAMPLE_REQUEST),
  },
}

/** The same once the payee knows the channel. */
export const SHORT: PaymentPayload = {
  ...PAYMENT,
  payload: { ...PAYMENT.payload, channel: { id: channel.toRawString() } },
}

export const RESPONSE: PaymentResponse = {
  success: true,
  transaction: '',
  network: terms.network,
  payer: EXAMPLE_PARAMS.payer.toRawString(),
  amount: '',
  extra: {
    chargedAmount: '3600',
    requestId: paymentRequestId(channel, EXAMPLE_REQUEST.id),
    channelState: { ...channelState, chargedCumulativeAmount: '3103600' },
    voucherState: { signedMaxClaimable: after.ceiling, signature: after.signature },
  },
}

function voucher(ceiling: bigint): { ceiling: string; signature: string } {
  const signature = signVoucher(EXAMPLE_KEY, { globalId, channel, ceiling }).toString('base64')
  return { ceiling: ceiling.toString(), signature }
}
