/** The evidence bundle: opaque bytes in base64, hashed as received. */

import { sha256, sha512 } from '@noble/hashes/sha2.js'
import { z } from 'zod'
import { concat, fromBase64, toBase64, utf8 } from '../bytes.ts'
import { MAX_EVENT_LOG } from '../eventlog/log.ts'
import { MAX_GPU_DOCUMENT } from '../gpu/document.ts'
import { base64Within, firstIssue } from '../schema.ts'
import { type Collateral, collateralSchema } from '../tdx/collateral.ts'
import { MAX_QUOTE } from '../tdx/quote.ts'
import { claimsDigest, EvidenceError, MAX_CLAIMS } from './claims.ts'

/** First member of a bundle. */
export const EVIDENCE_FORMAT = 'chrysalis/evidence/1'
const MAX_SNAPSHOT = 512 * 1024

const bundleSchema = z.strictObject({
  format: z.literal(EVIDENCE_FORMAT),
  tee: z.enum(['tdx', 'simulated-tdx']),
  nonce: base64Within(32),
  claims: base64Within(MAX_CLAIMS),
  quote: base64Within(MAX_QUOTE),
  collateral: collateralSchema.optional(),
  eventLog: base64Within(MAX_EVENT_LOG).optional(),
  gpu: base64Within(MAX_GPU_DOCUMENT).optional(),
  registrySnapshot: base64Within(MAX_SNAPSHOT).optional(),
})

/** See DESIGN, section 3. Byte strings are standard base64; collateral is the nine-key object. */
export type EvidenceBundle = z.infer<typeof bundleSchema>

/** A bundle's byte strings, decoded. */
export interface OpenedBundle {
  tee: EvidenceBundle['tee']
  nonce: Uint8Array
  claims: Uint8Array
  quote: Uint8Array
  collateral: Collateral | undefined
  eventLog: Uint8Array | undefined
  gpu: Uint8Array | undefined
  registrySnapshot: Uint8Array | undefined
}

/** Checks shape and sizes and decodes. Throws EvidenceError that names the field. */
export function openBundle(input: unknown): OpenedBundle {
  const parsed = bundleSchema.safeParse(input)
  if (!parsed.success) throw new EvidenceError(`bundle: ${firstIssue(parsed.error)}`)
  const { tee, nonce, claims, quote, collateral, eventLog, gpu, registrySnapshot } = parsed.data
  const optional = (text: string | undefined, name: string) =>
    text === undefined ? undefined : decode(text, name)
  const opened = {
    tee,
    nonce: decode(nonce, 'nonce'),
    claims: decode(claims, 'claims'),
    quote: decode(quote, 'quote'),
    collateral,
    eventLog: optional(eventLog, 'eventLog'),
    gpu: optional(gpu, 'gpu'),
    registrySnapshot: optional(registrySnapshot, 'registrySnapshot'),
  }
  if (opened.nonce.length !== 32) throw new EvidenceError('bundle: nonce is not 32 bytes')
  return opened
}

function decode(text: string, name: string): Uint8Array {
  try {
    return fromBase64(text)
  } catch {
    throw new EvidenceError(`bundle: ${name} is not canonical base64`)
  }
}

/**
 * REPORTDATA (64 bytes) = SHA-512("chrysalis/report-data/1" || 00 || nonce[32] || claimsDigest[32] || SHA-256(gpu
 * bytes), or 32 zero bytes without accelerators).
 */
export function reportData({
  nonce,
  claimsDigest: digest,
  gpu,
}: {
  nonce: Uint8Array
  claimsDigest: Uint8Array
  gpu?: Uint8Array | undefined
}): Uint8Array<ArrayBuffer> {
  if (nonce.length !== 32) throw new EvidenceError('report data: the nonce is not 32 bytes')
  if (digest.length !== 32) throw new EvidenceError('report data: the claims digest is not 32 bytes')
  const gpuPart = gpu === undefined ? new Uint8Array(32) : sha256(gpu)
  return Uint8Array.from(sha512(concat(utf8('chrysalis/report-data/1\0'), nonce, digest, gpuPart)))
}

/**
 * What every GPU report of this evidence carries: SHA-256("chrysalis/gpu-nonce/1" || 00 || nonce[32] ||
 * claimsDigest[32]). 32 bytes.
 */
export function gpuNonce(nonce: Uint8Array, digest: Uint8Array): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(sha256(concat(utf8('chrysalis/gpu-nonce/1\0'), nonce, digest)))
}

/** Something that makes quotes: a TDX guest or the simulated TEE. */
export interface Tee {
  readonly kind: 'tdx' | 'simulated-tdx'
  /** Quotes 64 bytes of report data. */
  quote(reportData: Uint8Array): Promise<Uint8Array>
  /** Collateral that judges this quote now; undefined leaves it to the verifier. */
  collateral(quote: Uint8Array): Promise<Collateral | undefined>
  /** What the run-time registers stand for (see attest/eventlog). */
  eventLog?(): Promise<Uint8Array | undefined>
  /** Evidence of every claimed accelerator over this 32-byte nonce (see attest/gpu); absent without accelerators. */
  gpu?(nonce: Uint8Array): Promise<Uint8Array | undefined>
}

/** Makes the evidence for one nonce (32 bytes) and the claims' exact bytes. */
export async function createEvidence({
  tee,
  nonce,
  claims,
}: {
  tee: Tee
  nonce: Uint8Array
  claims: Uint8Array
}): Promise<EvidenceBundle> {
  const digest = claimsDigest(claims)
  const gpu = await tee.gpu?.(gpuNonce(nonce, digest))
  const quote = await tee.quote(reportData({ nonce, claimsDigest: digest, gpu }))
  const eventLog = await tee.eventLog?.()
  const collateral = await tee.collateral(quote)
  return {
    format: EVIDENCE_FORMAT,
    tee: tee.kind,
    nonce: toBase64(nonce),
    claims: toBase64(claims),
    quote: toBase64(quote),
    ...(collateral && { collateral }),
    ...(eventLog && { eventLog: toBase64(eventLog) }),
    ...(gpu && { gpu: toBase64(gpu) }),
  }
}
