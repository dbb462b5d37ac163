/** Identifiers that travel between gateway and worker. */

import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import { text } from './readers.ts'

/** Request ids are chosen by the gateway (or a client) and are safe in headers, file names and logs. */
export const requestIdSchema = z.string().regex(/^[A-Za-z0-9_-]{8,64}$/, 'must be 8-64 of A-Z a-z 0-9 _ -')

/**
 * A new request id: 32 hexadecimal digits, of which the first 12 are the time in ms and the rest 80 random bits. Ids that
 * follow one another stand together in the ledger's index, however many requests it holds.
 */
export function newRequestId(): string {
  return Date.now().toString(16).padStart(12, '0') + randomBytes(10).toString('hex')
}

/** `length` bytes in lower-case hexadecimal. */
export function hexSchema(length: number): z.ZodString {
  return z
    .string()
    .regex(new RegExp(`^[0-9a-f]{${length * 2}}$`), `must be ${length} bytes in lower-case hex`)
}

/** Canonical padded base64 of between `min` and `max` bytes. */
export function base64Schema(min: number, max = min): z.ZodString {
  return z
    .string()
    .max(Math.ceil(max / 3) * 4)
    .refine((text) => isCanonicalBase64(text, min, max), {
      message: min === max ? `must be base64 of ${min} bytes` : `must be base64 of ${min}-${max} bytes`,
    })
}

function isCanonicalBase64(text: string, min: number, max: number): boolean {
  const bytes = Buffer.from(text, 'base64')
  return bytes.length >= min && bytes.length <= max && bytes.toString('base64') === text
}

/** Canonical base64url without padding, as receipts use it, of between `min` and `max` bytes. */
export function base64UrlSchema(min: number, max = min): z.ZodString {
  return z
    .string()
    .max(Math.ceil((max * 4) / 3))
    .refine(
      (text) => {
        const bytes = Buffer.from(text, 'base64url')
        return bytes.length >= min && bytes.length <= max && bytes.toString('base64url') === text
      },
      { message: 'must be base64url without padding, of the expected length' },
    )
}

/** A non-negative amount in nanotons (or a price) as a decimal string without leading zeros; below 10^27. */
export const amountSchema = z.string().regex(/^(0|[1-9][0-9]{0,26})$/, 'must be a decimal string of nanotons')

/** A model's name as clients write it: exactly what the context of a sealed request can hold. */
const MODEL_ID = /^[\x21-\x7e]{1,256}$/
const MODEL_ID_FORM = '1-256 visible ASCII characters without spaces'
export const modelIdSchema = z.string().regex(MODEL_ID, `must be ${MODEL_ID_FORM}`)

/** The same as a field of a request. */
export const modelId = text({ pattern: MODEL_ID, expected: MODEL_ID_FORM })

/** A TON address in raw form: workchain, colon, 64 lower-case hexadecimal digits. */
export const rawAddressSchema = z.string().regex(/^(-1|0):[0-9a-f]{64}$/, 'must be a raw TON address (0:hex)')
