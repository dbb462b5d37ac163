/** Receipts: what an enclave signs about one request (DESIGN section 5). */

export {
  type ReceiptBody,
  type ReceiptDetails,
  receiptBodySchema,
  receiptDetailsSchema,
  type SignedReceipt,
  signedReceiptSchema,
} from './body.ts'
export { ReceiptError, type ReceiptErrorCode } from './errors.ts'
export { encodeDetails, type ReceiptStatement, signReceipt } from './sign.ts'
export { BLIND_BYTES, checkDetails, receiptDigest, receiptMessage, verifyReceipt } from './verify.ts'
