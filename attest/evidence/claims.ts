/** Claims: what an enclave says about itself for one epoch. Hashed as received, never re-encoded. */

import { sha256 } from '@noble/hashes/sha2.js'
import { z } from 'zod'
import { fromBase64, toBase64 } from '../bytes.ts'
import { ChrysalisError } from '../errors.ts'
import { canonicalBytes, parseStrictJson } from '../json.ts'
import { firstIssue, hexOf, visibleAscii } from '../schema.ts'

/** The largest claims document, in bytes. */
export const MAX_CLAIMS = 64 * 1024

/** Claims or bundle of the wrong shape. */
export class EvidenceError extends ChrysalisError {
  constructor(message: string) {
    super('ERR_EVIDENCE', message)
  }
}

/** Length in bytes of an X-Wing public key. */
const XWING_PUBLIC_KEY = 1216

const text = z.string().max(256)
const base64Of = (bytes: number) =>
  z
    .string()
    .max(bytes * 2)
    .refine((value) => lengthOf(value) === bytes, `not ${bytes} bytes of base64`)
const milliseconds = z.int().min(0)

/** A GPU as its own evidence describes it. Switches serve no model, so they are no accelerators. */
const acceleratorSchema = z.strictObject({
  arch: z.string().regex(/^(?:HOPPER|BLACKWELL)$/, 'neither HOPPER nor BLACKWELL'),
  deviceId: hexOf(8),
  // `cc`: spt or mpt, of a driver too old to say which; `unknown`: of one that says nothing.
  mode: z.string().regex(/^(?:spt|mpt|ppcie|cc|unknown)$/, 'not a mode of confidential computing'),
})

const claimsSchema = z.strictObject({
  role: z.enum(['worker', 'gateway']),
  bootId: hexOf(16),
  signingKey: base64Of(32),
  epoch: z.strictObject({
    id: hexOf(16),
    kem: z.literal('X-Wing'),
    publicKey: base64Of(XWING_PUBLIC_KEY),
    notBefore: milliseconds,
    notAfter: milliseconds,
  }),
  accelerators: z.array(acceleratorSchema).max(64),
  embedding: z.enum(['gpu', 'cpu']),
  models: z
    .array(
      z.strictObject({
        // As the context of a sealed request writes it: other names could never be asked for.
        id: visibleAscii(256),
        sha256: hexOf(32),
        quantization: text,
        contextLength: z.int().min(1),
        tokenizerSha256: hexOf(32),
        templateSha256: hexOf(32),
        /** BCP 47 tags that the model file says it translates between. */
        languages: z.array(visibleAscii(35)).max(512).optional(),
      }),
    )
    .max(64),
  software: z.strictObject({ version: text, commit: text }),
  registry: z.strictObject({ globalId: z.int(), address: text }),
  payoutAddress: text,
  tlsSpkiSha256: hexOf(32).optional(),
})

/** See DESIGN, section 3. Byte strings are base64, digests and ids hex, times milliseconds since 1970. */
export type Claims = z.infer<typeof claimsSchema>

/** Encodes claims as RFC 8785 JSON. Throws EvidenceError that names the wrong field. */
export function encodeClaims(claims: Claims): Uint8Array<ArrayBuffer> {
  return canonicalBytes(check(claims))
}

/** Parses claims strictly: unknown keys, missing keys and wrong lengths throw EvidenceError. */
export function parseClaims(bytes: Uint8Array): Claims {
  if (bytes.length > MAX_CLAIMS) throw new EvidenceError(`claims: more than ${MAX_CLAIMS} bytes`)
  let json: unknown
  try {
    json = parseStrictJson(bytes)
  } catch {
    throw new EvidenceError('claims: not JSON, or a name twice in one object')
  }
  return check(json)
}

/** SHA-256 of the claims' bytes as they are: the one name of this evidence. 32 bytes. */
export function claimsDigest(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(sha256(bytes))
}

/** How claims describe an epoch: `EpochKeys.current()` fits. */
export function epochClaims(epoch: {
  id: string
  publicKey: Uint8Array
  notBefore: number
  notAfter: number
}): Claims['epoch'] {
  const { id, publicKey, notBefore, notAfter } = epoch
  return { id, kem: 'X-Wing', publicKey: toBase64(publicKey), notBefore, notAfter }
}

/** epoch.id = SHA-256(epoch public key)[0:16]. */
export function epochId(publicKey: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(sha256(publicKey).subarray(0, 16))
}

function check(claims: unknown): Claims {
  const parsed = claimsSchema.safeParse(claims)
  if (parsed.success) return parsed.data
  throw new EvidenceError(`claims: ${firstIssue(parsed.error)}`)
}

function lengthOf(value: string): number {
  try {
    return fromBase64(value).length
  } catch {
    return -1
  }
}
