/**
 * What travels in the headers of x402 version 2 for the scheme `batch-settlement` on TON (contracts/x402.md), as JSON.
 * Amounts are decimal strings of nanotons, addresses raw, keys lower-case hex, signatures base64.
 */

import { z } from 'zod'
import { channelParamsSchema } from '../channel/params.ts'

export const X402_VERSION = 2
export const X402_SCHEME = 'batch-settlement'
/** Toncoin itself; other assets are named by the address of their master contract. */
export const X402_ASSET = 'native'

const { payer: address, voucherKey: key, challengeSeconds: seconds } = channelParamsSchema.shape
const amount = z.string().regex(/^(0|[1-9][0-9]{0,26})$/, 'not a decimal number of nanotons')
const signature = z.string().refine(isSignature, 'not base64 of 64 bytes')
const network = z.string().regex(/^tvm:(0|-?[1-9][0-9]{0,9})$/, 'not a TON network such as tvm:-239')
/** Unix seconds. */
const time = z.int().min(0).max(0xffffffff)

function isSignature(text: string): boolean {
  const bytes = Buffer.from(text, 'base64')
  return bytes.length === 64 && bytes.toString('base64') === text
}

function isOurs(offer: { scheme: string; network: string; asset: string }): boolean {
  return offer.scheme === X402_SCHEME && offer.network.startsWith('tvm:') && offer.asset === X402_ASSET
}

/** Where a channel stands, as its payee says. */
export const channelStateSchema = z.object({
  /** Its raw address. */
  channelId: address,
  /** Deposited in all. */
  balance: amount,
  /** Paid out on chain in all. */
  totalClaimed: amount,
  /** When the challenge period of a close ends, Unix seconds; 0 while the channel is open. */
  withdrawRequestedAt: time,
  /** Charged in all. */
  chargedCumulativeAmount: amount,
})

/** The highest voucher that the payee holds: the payer can check that it signed this. */
export const voucherStateSchema = z.object({ signedMaxClaimable: amount, signature })

const termsShape = {
  scheme: z.literal(X402_SCHEME),
  network,
  /** Most that the request may cost. */
  amount,
  asset: z.literal(X402_ASSET),
  /** Raw address of the payee: the channel's `payee`. */
  payTo: address,
  /** How far ahead a request may expire. */
  maxTimeoutSeconds: z.int().positive(),
}

/** What a payee asks for. */
export const requirementsSchema = z.object({
  ...termsShape,
  extra: z.object({
    /** Of the channel contract, for comparison only: a payer takes it from its own program. */
    codeHash: key,
    /** The channel's `payeeKey`. */
    payeeKey: key,
    /** Shortest challenge period that is accepted. */
    challengeSeconds: seconds,
    /** Least deposit of a channel that is accepted. */
    minDeposit: amount,
    /** Least ceiling that would admit this request, where the channel is known and only the ceiling was short. */
    ceiling: amount.optional(),
    channelState: channelStateSchema.optional(),
    voucherState: voucherStateSchema.optional(),
  }),
})

/** A 402's header. Fields that this version does not know are left out, as x402 may grow some. */
export const paymentRequiredSchema = z.object({
  x402Version: z.literal(X402_VERSION),
  error: z.string().optional(),
  resource: z.object({
    url: z.string().min(1),
    description: z.string().optional(),
    mimeType: z.string().optional(),
  }),
  /** Offers of other schemes, networks and assets are left out. */
  accepts: z
    .array(z.looseObject({ scheme: z.string(), network: z.string(), asset: z.string() }))
    .transform((offers) => offers.filter(isOurs))
    .pipe(
      z.array(requirementsSchema).min(1, `no offer of ${X402_SCHEME} on a TON network in ${X402_ASSET} coin`),
    ),
  extensions: z.record(z.string(), z.unknown()).optional(),
})

/** 16 to 64 of A-Z a-z 0-9 _ - that the payer has used for no other request of the channel. */
export const paymentRequestIdSchema = z
  .string()
  .regex(/^[A-Za-z0-9_-]{16,64}$/, 'must be 16-64 of A-Z a-z 0-9 _ -')

export const voucherPayloadSchema = z.strictObject({
  type: z.literal('voucher'),
  /** In full, or by its address once the payee knows it. */
  channel: z.union([z.strictObject({ id: address }), channelParamsSchema], {
    error: 'either {id} or the parameters of a channel',
  }),
  voucher: z.strictObject({ ceiling: amount, signature }),
  request: z.strictObject({ id: paymentRequestIdSchema, expires: time, signature }),
})

/** A paying request's header. `accepted.extra`, `resource` and `extensions` are the payer's own copy and are not read. */
export const paymentPayloadSchema = z.object({
  x402Version: z.literal(X402_VERSION),
  resource: z.record(z.string(), z.unknown()).optional(),
  accepted: z.object({ ...termsShape, extra: z.record(z.string(), z.unknown()).optional() }),
  payload: voucherPayloadSchema,
  extensions: z.record(z.string(), z.unknown()).optional(),
})

/** The header of an answer to a paying request. */
export const paymentResponseSchema = z.object({
  success: z.boolean(),
  errorReason: z.string().optional(),
  /** Raw address of the channel's payer; empty where the channel is not known. */
  payer: z.string(),
  /** No transaction and no transfer belong to one request: both are empty. */
  transaction: z.literal(''),
  amount: z.literal(''),
  network,
  extra: z
    .object({
      /** What this request was charged; absent where that is not known yet (a stream that begins) or nothing was done. */
      chargedAmount: amount.optional(),
      /** Under this id the receipt is found: `paymentRequestId` of the channel and the request's id. */
      requestId: z.string(),
      channelState: channelStateSchema,
      voucherState: voucherStateSchema.optional(),
    })
    .optional(),
})

export type ChannelStateJson = z.infer<typeof channelStateSchema>
export type VoucherStateJson = z.infer<typeof voucherStateSchema>
export type PaymentRequirements = z.infer<typeof requirementsSchema>
export type PaymentRequired = z.infer<typeof paymentRequiredSchema>
export type VoucherPayload = z.infer<typeof voucherPayloadSchema>
export type PaymentPayload = z.infer<typeof paymentPayloadSchema>
export type PaymentResponse = z.infer<typeof paymentResponseSchema>

/** x402's (CAIP-2) name of the TON network with this global_id (config parameter 19), e.g. `tvm:-239`. */
export function paymentNetwork(globalId: number): string {
  return `tvm:${globalId}`
}
