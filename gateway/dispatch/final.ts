import { z } from 'zod'
import { fromBase64, fromUtf8 } from '../../attest/bytes.ts'
import { signedReceiptSchema } from '../../attest/receipt/index.ts'
import type { ApiErrorObject } from '../../worker/protocol/errors.ts'
import { base64Schema, hexSchema } from '../../worker/protocol/ids.ts'
import { IntegrityError } from './errors.ts'

const MAX_FINAL_BYTES = 64 * 1024

const header = z.string().regex(/^[\x20-\x7e]{0,256}$/)
const errorSchema = z.strictObject({
  message: z.string().max(4096),
  type: z.string().max(128),
  param: z.string().max(256).nullable(),
  code: z.string().max(128).nullable(),
})

const finalSchema = z.strictObject({
  status: z.int().min(200).max(599),
  error: errorSchema.optional(),
  headers: z.record(z.string().max(64), header).optional(),
  finishReason: z.string().max(64).nullable(),
  usage: z.record(z.string().max(64), z.unknown()).nullable(),
  transcript: hexSchema(32),
  receipt: signedReceiptSchema,
  details: base64Schema(2, 4096),
  blind: base64Schema(32),
})

/** What the sealed final frame says, its shape checked and nothing more. */
export interface FinalFrame {
  status: number
  error: ApiErrorObject | undefined
  headers: Readonly<Record<string, string>>
  finishReason: string | null
  usage: Readonly<Record<string, unknown>> | null
  /** Hex. */
  transcript: string
  receipt: z.infer<typeof signedReceiptSchema>
  details: Uint8Array
  blind: Uint8Array
}

/** A worker may set these response headers and no others. */
const ALLOWED_HEADERS = new Set(['retry-after', 'x-should-retry'])

/** Parses the final frame's content. @throws IntegrityError ERR_FINAL_MALFORMED */
export function parseFinal(content: Uint8Array): FinalFrame {
  if (content.length > MAX_FINAL_BYTES) throw malformed()
  let value: unknown
  try {
    value = JSON.parse(fromUtf8(content))
  } catch {
    throw malformed()
  }
  const result = finalSchema.safeParse(value)
  if (!result.success) throw malformed()
  const { status, error, headers, details, blind, ...rest } = result.data
  if (status >= 400 !== (error !== undefined) || (status >= 300 && status < 400)) throw malformed()
  return {
    ...rest,
    status,
    error,
    headers: Object.fromEntries(Object.entries(headers ?? {}).filter(([name]) => ALLOWED_HEADERS.has(name))),
    details: fromBase64(details),
    blind: fromBase64(blind),
  }
}

function malformed(): IntegrityError {
  return new IntegrityError('ERR_FINAL_MALFORMED', 'the final frame is not one of version 1')
}
