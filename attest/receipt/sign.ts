/** Making receipts: in the enclave only. */

import { type KeyObject, sign } from 'node:crypto'
import { toBase64Url, toHex } from '../bytes.ts'
import { hmacSha256 } from '../crypto.ts'
import { canonicalBytes } from '../json.ts'
import {
  type ReceiptBody,
  type ReceiptDetails,
  receiptBodySchema,
  receiptDetailsSchema,
  type SignedReceipt,
} from './body.ts'
import { ReceiptError } from './errors.ts'
import { BLIND_BYTES, receiptMessage } from './verify.ts'

/** What the caller says; the version and the commitment to the details are added. */
export type ReceiptStatement = Omit<ReceiptBody, 'v' | 'details'>

/** RFC 8785 bytes of the details; the same details always give the same bytes. Throws on a field out of range. */
export function encodeDetails(details: ReceiptDetails): Uint8Array<ArrayBuffer> {
  return canonicalBytes(receiptDetailsSchema.parse(details))
}

/**
 * Signs a receipt with the enclave's Ed25519 private key. `blind` is 32 fresh random bytes that only the payer
 * learns. Throws on a field out of range: such a receipt would be refused by everyone.
 * @throws ReceiptError ERR_RECEIPT_INPUT when the blind or the key is not of the right kind
 */
export function signReceipt(
  statement: ReceiptStatement,
  details: ReceiptDetails,
  blind: Uint8Array,
  key: KeyObject,
): SignedReceipt {
  if (blind.length !== BLIND_BYTES) throw new ReceiptError('ERR_RECEIPT_INPUT', 'blind: must be 32 bytes')
  if (key.type !== 'private' || key.asymmetricKeyType !== 'ed25519') {
    throw new ReceiptError('ERR_RECEIPT_INPUT', 'key: must be an Ed25519 private key')
  }
  const body: ReceiptBody = {
    ...statement,
    v: 1,
    details: toHex(hmacSha256(blind, encodeDetails(details))),
  }
  const payload = canonicalBytes(receiptBodySchema.parse(body))
  return { payload: toBase64Url(payload), signature: toBase64Url(sign(null, receiptMessage(payload), key)) }
}
