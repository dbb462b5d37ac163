import { toBase64, utf8 } from '../../attest/bytes.ts'
import { encodeDetails, type ReceiptDetails, type SignedReceipt } from '../../attest/receipt/index.ts'
import { type ApiError, type ApiErrorObject, clip } from '../protocol/index.ts'
import type { Usage } from '../tasks/index.ts'

/** UTF-16 units of an error's message and of its param, the sign of the cut not counted. */
const MESSAGE_UNITS = 4095
const PARAM_UNITS = 255

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
      ...(error && { error: shortened(error.object()), headers: error.headers }),
      finishReason,
      usage,
      transcript,
      receipt,
      details: toBase64(encodeDetails(details)),
      blind: toBase64(blind),
    }),
  )
}

/** A gateway takes no longer error than this for one of a sound worker; names of fields come from the client. */
function shortened({ message, type, param, code }: ApiErrorObject): ApiErrorObject {
  return { message: clip(message, MESSAGE_UNITS), type, param: param && clip(param, PARAM_UNITS), code }
}
