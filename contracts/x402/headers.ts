import { ContractsError } from '../errors.ts'
import {
  type PaymentPayload,
  type PaymentRequired,
  type PaymentResponse,
  paymentPayloadSchema,
  paymentRequiredSchema,
  paymentResponseSchema,
} from './wire.ts'

/** Names of x402's headers; the values are base64 of JSON. */
export const X402_HEADERS = {
  required: 'PAYMENT-REQUIRED',
  signature: 'PAYMENT-SIGNATURE',
  response: 'PAYMENT-RESPONSE',
} as const

/** Most characters of a header that are read. What is written here stays below a quarter of it. */
export const MAX_HEADER_LENGTH = 8192

/** What is used of a zod schema. */
interface Schema<T> {
  safeParse(
    value: unknown,
  ): { success: true; data: T } | { success: false; error: { issues: readonly Issue[] } }
}
interface Issue {
  readonly path: readonly PropertyKey[]
  readonly message: string
}

/** The value of PAYMENT-REQUIRED. */
export function encodePaymentRequired(required: PaymentRequired): string {
  return encode(required)
}

/** Reads PAYMENT-REQUIRED. @throws ContractsError ERR_PAYMENT_HEADER naming the field */
export function decodePaymentRequired(header: string): PaymentRequired {
  return decode(header, X402_HEADERS.required, paymentRequiredSchema)
}

/** The value of PAYMENT-SIGNATURE. */
export function encodePayment(payment: PaymentPayload): string {
  return encode(payment)
}

/** Reads PAYMENT-SIGNATURE. Nothing in it has been verified. @throws ContractsError ERR_PAYMENT_HEADER naming the field */
export function decodePayment(header: string): PaymentPayload {
  return decode(header, X402_HEADERS.signature, paymentPayloadSchema)
}

/** The value of PAYMENT-RESPONSE. */
export function encodePaymentResponse(response: PaymentResponse): string {
  return encode(response)
}

/** Reads PAYMENT-RESPONSE. @throws ContractsError ERR_PAYMENT_HEADER naming the field */
export function decodePaymentResponse(header: string): PaymentResponse {
  return decode(header, X402_HEADERS.response, paymentResponseSchema)
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64')
}

function decode<T>(header: string, name: string, schema: Schema<T>): T {
  const refuse = (problem: string) => new ContractsError('ERR_PAYMENT_HEADER', `${name}: ${problem}`)
  if (header.length > MAX_HEADER_LENGTH) throw refuse(`longer than ${MAX_HEADER_LENGTH} characters`)
  const bytes = Buffer.from(header, 'base64')
  if (bytes.length === 0 || bytes.toString('base64') !== header) throw refuse('not base64 of JSON')
  const parsed = schema.safeParse(parseJson(bytes))
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw refuse(`${issue?.path.join('.') || 'the value'}: ${issue?.message}`.slice(0, 200))
}

/** JSON, or undefined, which no schema takes. */
function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return undefined
  }
}
