/** What a registry on chain says, as plain data: whoever read it, and held it to be current, hands it to the verifier. */

import { z } from 'zod'
import { ChrysalisError } from '../errors.ts'
import { firstIssue, hexOf } from '../schema.ts'
import { measurementSetSchema, type Policy } from './policy.ts'

const versionSchema = z.string().regex(/^\d{1,5}\.\d{1,5}\.\d{1,5}$/, 'not a version as in 1.2.3')

export const registryViewSchema = z.strictObject({
  globalId: z.int(),
  /** Raw, `0:hex`. */
  address: z.string().min(1).max(256),
  version: z.int().min(1),
  /** Of the snapshot, hex. */
  hash: hexOf(32),
  /** Unix seconds; from then on nothing in here is to be trusted. */
  expiresAt: z.int().min(0),
  /** The lowest software version. */
  minSoftware: versionSchema,
  measurements: z.array(
    z.strictObject({
      roles: z.array(z.enum(['worker', 'gateway'])).min(1),
      set: measurementSetSchema,
    }),
  ),
  models: z.array(z.strictObject({ id: z.string(), sha256: hexOf(32) })),
  /** Account ids of the gateways' wallets, hex: what follows `0:` in the payoutAddress of their claims. */
  gateways: z.array(hexOf(32)),
  /** Everything revoked, by the key of its table; platforms by {@link platformRevocationKey}. */
  revoked: z.array(hexOf(32)),
})

/** One snapshot of one registry. */
export type RegistryView = z.infer<typeof registryViewSchema>

/** Checks a view. Throws ChrysalisError ERR_POLICY that names the field. */
export function parseRegistryView(view: unknown): RegistryView {
  const parsed = registryViewSchema.safeParse(view)
  if (parsed.success) return parsed.data
  throw new ChrysalisError('ERR_POLICY', `registry: ${firstIssue(parsed.error)}`)
}

const BY_REGISTRY: readonly string[] = [
  'registry.expected',
  'registry.allowed',
  'measurement.allowed',
  'td.owner',
  'model.allowed',
]

/**
 * A policy that holds to a registry: it pins which one, and forgives no skip of what a registry says. Without a view of
 * it such a policy refuses. Throws ChrysalisError ERR_POLICY for a policy that pins another.
 */
export function withRegistry(policy: Policy, registry: NonNullable<Policy['registry']>): Policy {
  const { globalId, address } = policy.registry ?? registry
  if (globalId !== registry.globalId || address !== registry.address) {
    const other = `the policy ${policy.name} pins the registry ${address} of network ${globalId}`
    throw new ChrysalisError('ERR_POLICY', `registry: ${other}, not ${registry.address}`)
  }
  return { ...policy, registry, skip: policy.skip.filter((name) => !BY_REGISTRY.includes(name)) }
}

/**
 * The policy with the pins of the view in the places where it has none of its own. Where it has, both have to be met: the
 * factor registry.allowed asks for the registry's.
 */
export function pinnedBy(policy: Policy, view: RegistryView): Policy {
  const { models = modelPins(view), measurements = measurementPins(policy, view) } = policy
  return { ...policy, models, measurements }
}

function measurementPins({ roles }: Policy, { measurements }: RegistryView) {
  const about = measurements.filter((entry) => entry.roles.some((role) => roles.includes(role)))
  return about.map(({ set }) => set)
}

function modelPins({ models }: RegistryView): Record<string, string[]> {
  const byId = Map.groupBy(models, ({ id }) => id)
  return Object.fromEntries([...byId].map(([id, list]) => [id, list.map(({ sha256 }) => sha256)]))
}
