/**
 * Files of GPU evidence: our own (`chrysalis/gpu-evidence/1`), the list of devices that NVIDIA's tools write, one
 * device alone, or a token bundle of NVIDIA's attestation service alone.
 */

import { z } from 'zod'
import { fromBase64, fromHex, toBase64, toHex } from '../bytes.ts'
import { canonicalBytes, parseStrictJson } from '../json.ts'
import { base64Within, firstIssue } from '../schema.ts'
import { ARCHITECTURES, type GpuArch } from './chain.ts'
import { type CarriedEat, looksLikeEat } from './eat-bundle.ts'
import { GpuError } from './errors.ts'
import { MAX_RIM } from './rim-xml.ts'
import { MAX_REPORT } from './spdm.ts'

export const GPU_EVIDENCE_FORMAT = 'chrysalis/gpu-evidence/1'

/** The largest file that is looked at, in bytes. */
export const MAX_GPU_DOCUMENT = 2 * 1024 * 1024
const MAX_DEVICES = 64
const MAX_RIMS = 64
const MAX_PEM = 16 * 1024
const MAX_OCSP = 16 * 1024

/** What one device gave: nothing of it is proven. */
export interface DeviceEvidence {
  arch: GpuArch
  /** PEM chain, leaf first. */
  certificate: Uint8Array
  /** SPDM measurement report. */
  evidence: Uint8Array
  /** 32: the nonce that the file says the report is for */ nonce: Uint8Array
}

export interface GpuDocument {
  devices: readonly DeviceEvidence[]
  /** Reference measurements, XML. */
  rims: readonly Uint8Array[]
  /** Token bundles of NVIDIA's attestation service, each with the keys that came along. */
  eats: readonly CarriedEat[]
  /** OCSP responses, DER. */
  ocsp: readonly Uint8Array[]
}

const bytesWithin = (max: number) =>
  base64Within(max).transform((text, context) => {
    try {
      return fromBase64(text)
    } catch {
      context.addIssue({ code: 'custom', message: 'not base64' })
      return z.NEVER
    }
  })

const nonceHex = (form: RegExp) =>
  z
    .string()
    .regex(form, 'not 32 bytes of hex')
    .transform((text) => fromHex(text.toLowerCase()))
const blobs = { certificate: bytesWithin(MAX_PEM), evidence: bytesWithin(MAX_REPORT) }
const ownDevice = z.strictObject({
  ...blobs,
  arch: z.enum(ARCHITECTURES),
  nonce: nonceHex(/^[0-9a-f]{64}$/),
})
/** NVIDIA's tools add versions and ids of their own, which say nothing that the signed report does not. */
const foreignDevice = z.object({
  ...blobs,
  arch: z
    .string()
    .transform((text) => text.toUpperCase())
    .pipe(z.enum(ARCHITECTURES)),
  nonce: nonceHex(/^[0-9a-fA-F]{64}$/),
})
const eatSchema = z.strictObject({ bundle: z.json(), jwks: z.json().optional() })

const foreignSchema = z.array(foreignDevice).min(1).max(MAX_DEVICES)
const ownSchema = z.strictObject({
  format: z.literal(GPU_EVIDENCE_FORMAT),
  devices: z.array(ownDevice).max(MAX_DEVICES),
  rims: z.array(bytesWithin(MAX_RIM)).max(MAX_RIMS).optional(),
  /** One bundle, or several: NVIDIA's service makes one for GPUs and one for switches. */
  eat: z.union([eatSchema, z.array(eatSchema).max(2)]).optional(),
  ocsp: z
    .array(bytesWithin(MAX_OCSP))
    .max(MAX_DEVICES * 8)
    .optional(),
})

/** Parses a file of GPU evidence. Throws GpuError ERR_GPU_DOCUMENT that names the wrong field. */
export function parseGpuDocument(bytes: Uint8Array): GpuDocument {
  if (bytes.length > MAX_GPU_DOCUMENT) throw documentError(`more than ${MAX_GPU_DOCUMENT} bytes`)
  const json = readJson(bytes)
  const only = { devices: [], rims: [], eats: [], ocsp: [] }
  if (looksLikeEat(json)) return { ...only, eats: [{ bundle: json }] }
  if (Array.isArray(json)) return { ...only, devices: check(foreignSchema, json) }
  if (typeof json !== 'object' || json === null) throw documentError('neither an object nor a list')
  if ('evidences' in json) return { ...only, devices: check(foreignSchema, json.evidences) }
  if (!('format' in json)) return { ...only, devices: check(foreignSchema, [json]) }
  const { devices, rims = [], eat = [], ocsp = [] } = check(ownSchema, json)
  const eats = (Array.isArray(eat) ? eat : [eat]).map(({ bundle, jwks }) => ({
    bundle,
    ...(jwks === undefined ? {} : { jwks }),
  }))
  if (devices.length === 0 && eats.length === 0) throw documentError('devices: none, and no token either')
  return { devices, rims, eats, ocsp }
}

/** Writes evidence in our own format (RFC 8785). What this writes, parseGpuDocument reads back the same. */
export function encodeGpuDocument(document: Partial<GpuDocument>): Uint8Array<ArrayBuffer> {
  const { devices = [], rims = [], eats = [], ocsp = [] } = document
  return canonicalBytes({
    format: GPU_EVIDENCE_FORMAT,
    devices: devices.map(({ arch, certificate, evidence, nonce }) => ({
      arch,
      certificate: toBase64(certificate),
      evidence: toBase64(evidence),
      nonce: toHex(nonce),
    })),
    ...(rims.length > 0 && { rims: rims.map(toBase64) }),
    ...(eats.length > 0 && { eat: eats.length === 1 ? eats[0] : eats }),
    ...(ocsp.length > 0 && { ocsp: ocsp.map(toBase64) }),
  })
}

function readJson(bytes: Uint8Array): unknown {
  try {
    return parseStrictJson(bytes)
  } catch {
    throw documentError('not JSON, or a name twice in one object')
  }
}

function check<T>(schema: z.ZodType<T>, json: unknown): T {
  const parsed = schema.safeParse(json)
  if (parsed.success) return parsed.data
  throw documentError(firstIssue(parsed.error))
}

function documentError(problem: string): GpuError {
  return new GpuError('ERR_GPU_DOCUMENT', `GPU evidence: ${problem}`)
}
