import { toBase64, utf8 } from '../../attest/bytes.ts'
import { encodeDetails, type ReceiptDetails, type SignedReceipt } from '../../attest/receipt/index.ts'
import type { ApiError } from '../protocol/index.ts'
import type { Usage } from '../tasks/index.ts'

/** What the final frame of a response says. */
export interface FinalContent {
  /** Absent: success. */
  error?: ApiError
  finishReason: string
  usage: Usage | null
  /** Hex. */
  transcript: string
  receipt: SignedReceipt
  details: ReceiptDetails
  /** 32 bytes. */
  blind: Uint8Array
}

/**
 * The content of the sealed final frame, JSON: `{status, error?, headers?, finishReason, usage, transcript, receipt,
 * details (base64 of the detail bytes), blind (base64)}`.
 */
export function encodeFinal(final: FinalContent): Uint8Array {
  const { error, details, blind, finishReason, usage, transcript, receipt } = final
  return utf8(
    JSON.stringify({
      status: error?.status ?? 200,
      ...(error && { error: error.object(), headers: error.headers }),
      finishReason,
      usage,
      transcript,
      receipt,
      details: toBase64(encodeDetails(details)),
      blind: toBase64(blind),
    }),
  )
}
