/** What a verifier demands. Anchors, roles and exceptions come from here and never from the evidence judged. */

import { z } from 'zod'
import { ChrysalisError } from '../errors.ts'
import { parseStrictJson } from '../json.ts'
import { firstIssue, hexOf } from '../schema.ts'
import { FACTORS } from './factors.ts'

/** First line of a policy file. */
export const POLICY_FORMAT = 'chrysalis/policy/1'
const MAX_POLICY = 1024 * 1024

const text = z.string().min(1).max(256)
const register = hexOf(48)
const roots = <const K extends readonly [string, ...string[]]>(kinds: K) =>
  z.array(z.strictObject({ sha256: hexOf(32), kind: z.enum(kinds) })).min(1)

/** One allowed set of TD measurements, in hex. A register that is null is not compared. */
export const measurementSetSchema = z.strictObject({
  /** For people. */
  name: text.optional(),
  mrTd: register,
  rtmr: z.tuple([register.nullable(), register.nullable(), register.nullable(), register.nullable()]),
  /** Where absent, the field of the TD has to be zero. */
  mrConfigId: register.optional(),
  mrOwner: register.optional(),
  mrOwnerConfig: register.optional(),
})

export type MeasurementSet = z.infer<typeof measurementSetSchema>

const gpuSchema = z.strictObject({
  /** Whether a worker without an accelerator is refused. */
  required: z.boolean(),
  /** Roots of device certificates (SHA-256 of the DER). */
  roots: roots(['nvidia', 'simulated']),
  /** Roots of the signers of reference measurements. */
  rimRoots: roots(['nvidia', 'simulated']),
  /** Allowed driver versions; a version, or its beginning with a star: `580.*`. Without this gpu.driver is skipped. */
  drivers: z.array(text).min(1).optional(),
  /** Allowed VBIOS versions, written alike. Without this gpu.vbios is skipped. */
  vbios: z.array(text).min(1).optional(),
  /** Allowed modes of confidential computing; single GPU passthrough alone when absent. */
  modes: z
    .array(z.enum(['spt', 'mpt', 'ppcie']))
    .min(1)
    .optional(),
  /** Tokens of NVIDIA's attestation service: who issues them, and the pinned intermediates that sign their keys. */
  eat: z
    .strictObject({
      issuer: text,
      intermediates: z.array(hexOf(32)).optional(),
      /** Whether a token has to be there; where it may be missing gpu.eat is skipped without one. */
      required: z.boolean().optional(),
    })
    .optional(),
})

export const policySchema = z.strictObject({
  name: z.string().min(1).max(128),
  /** Root certificates (SHA-256 of the DER) that a chain may end in, and what they vouch for. */
  roots: roots(['intel', 'simulated']),
  roles: z.array(z.enum(['worker', 'gateway'])).min(1),
  /**
   * caller-nonce: the nonce that the verifier chose must be bound; beacon: the nonce must be one that was unknown
   * before a moment which the verifier names; none: any age within the epoch.
   */
  freshness: z.array(z.enum(['caller-nonce', 'beacon', 'none'])).min(1),
  /** Allowed SHA-256 digests by model id; without this the factor model.allowed is skipped. */
  models: z.record(z.string(), z.array(hexOf(32))).optional(),
  /** Allowed software versions; without this software.allowed is skipped. */
  software: z.array(text).min(1).optional(),
  /**
   * Allowed configurations, as SHA-256 of the payload of the event chrysalis.configuration; without this
   * configuration.allowed is skipped, unless every set of measurements pins RTMR3.
   */
  configurations: z.array(hexOf(32)).min(1).optional(),
  /** Factors that may be skipped; every other skip refuses. A failure is never forgiven. */
  skip: z.array(z.enum(FACTORS)),
  registry: z.strictObject({ globalId: z.int(), address: z.string() }).optional(),
  /**
   * Allowed TD measurements; without this measurement.allowed and td.owner are skipped. A set that leaves RTMR0, 1 or 2
   * open leaves measurement.complete skipped too.
   */
  measurements: z.array(measurementSetSchema).optional(),
  /** Allowed TDX modules by MRSEAM; without this any module that Intel lists as current. */
  modules: z.array(register).min(1).optional(),
  /** Lowest TEE_TCB_SVN, each of its 16 bytes (hex) compared by itself; what Intel's levels ask stays asked. */
  minimumTeeTcbSvn: hexOf(16).optional(),
  /** TCB statuses besides UpToDate, and the advisories that may come with them. */
  tcb: z.strictObject({ statuses: z.array(z.string()), advisories: z.array(z.string()) }).optional(),
  /**
   * Lowest tcbEvaluationDataNumber: a number, or `dated` for the number in force at the verifier's clock by the table
   * in tdx/evaluation-floor.ts. Without this tcb.evaluation-floor is skipped.
   */
  evaluationFloor: z.union([z.int().min(0), z.literal('dated')]).optional(),
  /** Platforms that are refused: PPID, platform instance id or id of the quoting enclave, 16 bytes of hex. */
  revokedPlatforms: z.array(hexOf(16)).optional(),
  /** Registers that an event log has to account for; all four when absent. */
  eventLog: z.strictObject({ registers: z.array(z.int().min(0).max(3)).min(1) }).optional(),
  gpu: gpuSchema.optional(),
  /** How far this clock and the enclave's may differ at the start of an epoch; 5 s when absent. */
  clockSkewMs: z.int().min(0).max(60_000).optional(),
})

export type Policy = z.infer<typeof policySchema>
export type GpuPolicy = z.infer<typeof gpuSchema>

/** Checks a policy. Throws ChrysalisError ERR_POLICY that names the field. */
export function parsePolicy(policy: unknown): Policy {
  const parsed = policySchema.safeParse(policy)
  if (parsed.success) return parsed.data
  throw new ChrysalisError('ERR_POLICY', `policy: ${firstIssue(parsed.error)}`)
}

/** Reads a policy file: JSON with `"format": "chrysalis/policy/1"`. Throws ChrysalisError ERR_POLICY. */
export function decodePolicy(bytes: Uint8Array): Policy {
  if (bytes.length > MAX_POLICY) throw new ChrysalisError('ERR_POLICY', 'policy: more than 1 MiB')
  let json: unknown
  try {
    json = parseStrictJson(bytes)
  } catch {
    throw new ChrysalisError('ERR_POLICY', 'policy: not JSON, or a name twice in one object')
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) {
    throw new ChrysalisError('ERR_POLICY', 'policy: not a JSON object')
  }
  const { format, ...policy } = json as Record<string, unknown>
  if (format !== POLICY_FORMAT) {
    throw new ChrysalisError('ERR_POLICY', `policy: format: expected "${POLICY_FORMAT}"`)
  }
  return parsePolicy(policy)
}

/** Writes a policy as the text of a policy file. */
export function encodePolicy(policy: Policy): string {
  return `${JSON.stringify({ format: POLICY_FORMAT, ...parsePolicy(policy) }, null, 2)}\n`
}
