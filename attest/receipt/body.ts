/** What a receipt says (DESIGN section 5). */

import { z } from 'zod'
import { amountSchema, hexOf, visibleAscii } from '../schema.ts'

const count = z.number().int().min(0).max(Number.MAX_SAFE_INTEGER)

export const receiptBodySchema = z.strictObject({
  v: z.literal(1),
  requestId: visibleAscii(128),
  h: hexOf(32),
  authHash: hexOf(32),
  claimsDigest: hexOf(32),
  transcript: hexOf(32),
  model: z.strictObject({ id: visibleAscii(256), sha256: hexOf(32) }),
  quoteDigest: hexOf(32),
  clientCharge: amountSchema,
  workerCharge: amountSchema,
  status: z.enum(['partial', 'complete', 'refused']),
  tee: z.enum(['tdx', 'simulated-tdx']),
  payerKind: z.enum(['gateway', 'channel']),
  issuedAt: count,
  details: hexOf(32),
})

/**
 * The public part: in clear to the relay. Digests are hex, charges nanotons as decimal strings, `issuedAt` ms of
 * the enclave's clock, `details` = HMAC-SHA-256(blind, detail bytes).
 */
export type ReceiptBody = Readonly<z.infer<typeof receiptBodySchema>>

export const receiptDetailsSchema = z.strictObject({
  promptTokens: count,
  cachedTokens: count,
  completionTokens: count,
  reasoningTokens: count,
  finishReason: z.string().max(64),
  startedAt: count,
  firstTokenAt: count.nullable(),
  endedAt: count,
})

/** The sealed part: only the payer sees it. Times in ms of the enclave's clock. */
export type ReceiptDetails = Readonly<z.infer<typeof receiptDetailsSchema>>

export const signedReceiptSchema = z.strictObject({
  payload: z.base64url().max(8192),
  signature: z.base64url().length(86),
})

/** A receipt as it travels: base64url of the payload bytes and of their Ed25519 signature. */
export type SignedReceipt = Readonly<z.infer<typeof signedReceiptSchema>>
