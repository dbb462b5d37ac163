/** What a verifier demands. Anchors, roles and exceptions come from here and never from the evidence judged. */

import { z } from 'zod'
import { ChrysalisError } from '../errors.ts'
import { BUNDLE_FACTORS, QUOTE_FACTORS } from './factors.ts'

const hex = (bytes: number) =>
  z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`), `not ${bytes} bytes of hex`)

export const policySchema = z.strictObject({
  name: z.string().min(1).max(128),
  /** Root certificates (SHA-256 of the DER) that a chain may end in, and what they vouch for. */
  roots: z.array(z.strictObject({ sha256: hex(32), kind: z.enum(['intel', 'simulated']) })).min(1),
  roles: z.array(z.enum(['worker', 'gateway'])).min(1),
  /** caller-nonce: the nonce that the verifier chose must be bound; none: any age within the epoch. */
  freshness: z.array(z.enum(['caller-nonce', 'none'])).min(1),
  /** Allowed SHA-256 digests by model id; without this the factor model.allowed is skipped. */
  models: z.record(z.string(), z.array(hex(32))).optional(),
  /** Factors that may be skipped; every other skip refuses. A failure is never forgiven. */
  skip: z.array(z.enum([...QUOTE_FACTORS, ...BUNDLE_FACTORS])),
  registry: z.strictObject({ globalId: z.int(), address: z.string() }).optional(),
  /** Allowed TD measurements; without this measurement.allowed is skipped. A missing register is not compared. */
  measurements: z
    .array(
      z.strictObject({
        mrTd: hex(48),
        rtmr: z.tuple([hex(48).nullable(), hex(48).nullable(), hex(48).nullable(), hex(48).nullable()]),
      }),
    )
    .optional(),
  /** TCB statuses besides UpToDate, and the advisories that may come with them. */
  tcb: z.strictObject({ statuses: z.array(z.string()), advisories: z.array(z.string()) }).optional(),
  /** Lowest tcbEvaluationDataNumber; without this tcb.evaluation-floor is skipped. */
  evaluationFloor: z.int().min(0).optional(),
  /** How far this clock and the enclave's may differ at the start of an epoch; 5 s when absent. */
  clockSkewMs: z.int().min(0).max(60_000).optional(),
})

export type Policy = z.infer<typeof policySchema>

/** Checks a policy. Throws ChrysalisError ERR_POLICY that names the field. */
export function parsePolicy(policy: unknown): Policy {
  const parsed = policySchema.safeParse(policy)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new ChrysalisError('ERR_POLICY', `policy: ${issue?.path.join('.')}: ${issue?.message}`)
}
