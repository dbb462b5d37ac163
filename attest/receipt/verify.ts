/** Reading receipts. Runs wherever crypto.ts runs; nothing is parsed before its signature holds. */

import type { ZodError } from 'zod'
import { concat, equalBytes, fromBase64Url, toHex, utf8 } from '../bytes.ts'
import { hmacSha256, sha256, verifyEd25519 } from '../crypto.ts'
import { parseStrictJson } from '../json.ts'
import { firstIssue } from '../schema.ts'
import {
  type ReceiptBody,
  type ReceiptDetails,
  receiptBodySchema,
  receiptDetailsSchema,
  type SignedReceipt,
  signedReceiptSchema,
} from './body.ts'
import { ReceiptError } from './errors.ts'

/** Bytes of the blind. Exactly so many: HMAC pads and hashes keys of other lengths onto the same values. */
export const BLIND_BYTES = 32

const SIGNATURE_LABEL = concat(utf8('chrysalis/receipt/1'), new Uint8Array(1))
const DIGEST_LABEL = concat(utf8('chrysalis/receipt-digest/1'), new Uint8Array(1))

/** "chrysalis/receipt/1" || 00 || payload bytes: what signingKey signs. */
export function receiptMessage(payload: Uint8Array): Uint8Array<ArrayBuffer> {
  return concat(SIGNATURE_LABEL, payload)
}

/**
 * Checks the signature by the enclave's 32-byte signingKey, then reads the payload. Throws ERR_RECEIPT_SIGNATURE
 * or ERR_RECEIPT_MALFORMED, naming the field.
 */
export function verifyReceipt(signed: unknown, publicKey: Uint8Array): ReceiptBody {
  const { payload, signature } = decode(signed)
  if (!verifyEd25519(publicKey, receiptMessage(payload), signature)) {
    throw new ReceiptError('ERR_RECEIPT_SIGNATURE', 'receipt: not signed by this key')
  }
  const result = receiptBodySchema.safeParse(parse(payload, 'payload'))
  if (result.success) return result.data
  throw malformed('payload', result.error)
}

/**
 * The receipt's one name, hex: SHA-256("chrysalis/receipt-digest/1" || 00 || payload bytes). The signature is left
 * out, so that one statement has one name however often it is signed. Throws ERR_RECEIPT_MALFORMED.
 */
export function receiptDigest(signed: SignedReceipt): string {
  return toHex(sha256(DIGEST_LABEL, decode(signed).payload))
}

/** Opens the sealed part: the details that `body` commits to under `blind`. Throws ERR_RECEIPT_DETAILS. */
export function checkDetails(body: ReceiptBody, detailsBytes: Uint8Array, blind: Uint8Array): ReceiptDetails {
  if (blind.length !== BLIND_BYTES || body.details.length !== 64) {
    throw new ReceiptError('ERR_RECEIPT_DETAILS', 'blind: must be 32 bytes')
  }
  if (!equalBytes(utf8(toHex(hmacSha256(blind, detailsBytes))), utf8(body.details))) {
    throw new ReceiptError('ERR_RECEIPT_DETAILS', 'details: not the ones that the receipt commits to')
  }
  const result = receiptDetailsSchema.safeParse(parse(detailsBytes, 'details'))
  if (result.success) return result.data
  throw malformed('details', result.error)
}

function decode(signed: unknown): { payload: Uint8Array; signature: Uint8Array } {
  const result = signedReceiptSchema.safeParse(signed)
  if (!result.success) throw malformed('receipt', result.error)
  try {
    return { payload: fromBase64Url(result.data.payload), signature: fromBase64Url(result.data.signature) }
  } catch (cause) {
    throw new ReceiptError('ERR_RECEIPT_MALFORMED', 'receipt: not canonical base64url', { cause })
  }
}

function parse(bytes: Uint8Array, field: string): unknown {
  try {
    return parseStrictJson(bytes)
  } catch (cause) {
    throw new ReceiptError('ERR_RECEIPT_MALFORMED', `${field}: not JSON in UTF-8 with distinct names`, {
      cause,
    })
  }
}

function malformed(where: string, error: ZodError): ReceiptError {
  return new ReceiptError('ERR_RECEIPT_MALFORMED', firstIssue(error, where))
}
