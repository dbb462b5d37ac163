import type { SignedReceipt } from '../../attest/receipt/index.ts'

/** A receipt that a worker still holds because nobody acknowledged it. */
export interface HeldReceipt {
  requestId: string
  receipt: SignedReceipt
  final: boolean
}
