/** The clear context of a sealed request: what is bound, signed and visible. */

import { z } from 'zod'
import { fromBase64 } from '../bytes.ts'
import { sha256 } from '../crypto.ts'
import { canonicalBytes, parseStrictJson } from '../json.ts'
import { amountSchema, firstIssue, hexOf, visibleAscii } from '../schema.ts'
import { LABEL, MAX_CONTEXT_BYTES } from './constants.ts'
import { SealError } from './errors.ts'

const count = z.number().int().min(0).max(0x7fff_ffff)

const key32 = z.string().refine(isKey32, '32 bytes in base64')

function isKey32(text: string): boolean {
  try {
    return fromBase64(text).length === 32
  } catch {
    return false
  }
}

/** Model name and the SHA-256 (hex) of its file. */
export const modelSchema = z.strictObject({ id: visibleAscii(256), sha256: hexOf(32) })

export const contextSchema = z.strictObject({
  v: z.literal(1),
  requestId: visibleAscii(128),
  sealId: hexOf(16),
  epochId: hexOf(16),
  claimsDigest: hexOf(32),
  tee: z.enum(['tdx', 'simulated-tdx']),
  gateway: visibleAscii(256),
  method: z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']),
  path: z.string().regex(/^\/[\x21-\x7e]{0,1023}$/, 'a path of visible ASCII'),
  model: modelSchema,
  payer: z.strictObject({
    kind: z.enum(['gateway', 'channel']),
    key: key32,
    channel: z.string().regex(/^[\x21-\x7e]{0,128}$/, 'visible ASCII or empty'),
    account: z.string().regex(/^[\x21-\x7e]{0,128}$/, 'visible ASCII or empty'),
  }),
  quoteDigest: hexOf(32),
  maxCharge: amountSchema,
  maxPromptTokens: count,
  maxOutputTokens: count,
  n: z.number().int().min(1).max(1024),
  responseMode: z.strictObject({
    stream: z.boolean(),
    padding: z.enum(['bucket', 'off']),
    cadence: z.literal(0),
  }),
  deadline: z.number().int().min(0).max(Number.MAX_SAFE_INTEGER),
})

/**
 * The clear context. `deadline` is wall time in ms, `maxCharge` nanotons, digests and ids hex, `payer.key` base64
 * of 32 bytes.
 */
export type SealContext = Readonly<z.infer<typeof contextSchema>>

/** RFC 8785 bytes of a context. Throws ERR_SEAL_CONTEXT, naming the field, and ERR_SEAL_TOO_LARGE. */
export function encodeContext(context: SealContext): Uint8Array<ArrayBuffer> {
  const bytes = canonicalBytes(check(context))
  if (bytes.length > MAX_CONTEXT_BYTES) throw tooLarge(bytes.length)
  return bytes
}

/** Reads context bytes as received. Canonical form is not asked for; unknown and repeated names are refused. */
export function parseContext(bytes: Uint8Array): SealContext {
  if (bytes.length > MAX_CONTEXT_BYTES) throw tooLarge(bytes.length)
  let value: unknown
  try {
    value = parseStrictJson(bytes)
  } catch (cause) {
    throw new SealError('ERR_SEAL_CONTEXT', 'context: not one JSON object in UTF-8 with distinct names', {
      cause,
    })
  }
  return check(value)
}

/** h = SHA-256("chrysalis/context/1" || 00 || ctx). */
export function contextHash(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return sha256(LABEL.context, bytes)
}

function check(value: unknown): SealContext {
  const result = contextSchema.safeParse(value)
  if (result.success) return result.data
  throw new SealError('ERR_SEAL_CONTEXT', firstIssue(result.error, 'context'))
}

function tooLarge(length: number): SealError {
  return new SealError(
    'ERR_SEAL_TOO_LARGE',
    `context: ${length} bytes, at most ${MAX_CONTEXT_BYTES} are allowed`,
  )
}
