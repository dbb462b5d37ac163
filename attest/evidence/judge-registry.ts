/** Judges proven evidence by what a registry says. */

import { sha256 } from '@noble/hashes/sha2.js'
import { concat, fromHex, toHex, utf8 } from '../bytes.ts'
import type { RegistryView } from '../policy/registry.ts'
import { measuredAs, ownedAs, type Registers, registersOf } from '../tdx/registers.ts'
import type { QuoteVerdict } from '../tdx/verify.ts'
import type { Claims } from './claims.ts'

/** What a registry is asked about an enclave: small enough to be kept, and asked again when the registry changes. */
export interface RegistrySubject {
  role: Claims['role']
  registry: Claims['registry']
  /** Software version. */
  version: string
  models: readonly { id: string; sha256: string }[]
  registers: Registers
  /** Names of the machine and of its quoting enclave, hex. */
  platforms: readonly string[]
  payoutAddress: string
}

/** What of this evidence concerns a registry; undefined when the quote does not show it. */
export function registrySubject(
  claims: Claims,
  { quote, platform }: Pick<QuoteVerdict, 'quote' | 'platform'>,
): RegistrySubject | undefined {
  if (quote === undefined || platform === undefined) return undefined
  const { ppid, platformInstanceId } = platform
  return {
    role: claims.role,
    registry: claims.registry,
    version: claims.software.version,
    models: claims.models.map(({ id, sha256 }) => ({ id, sha256 })),
    registers: registersOf(quote.body),
    platforms: [ppid, platformInstanceId, toHex(quote.qeId)].flatMap((name) => name ?? []),
    payoutAddress: claims.payoutAddress,
  }
}

/**
 * What this view of a registry says against an enclave, in a sentence; undefined when it allows it. `now` in ms.
 * Revocations need no look at the tables, as readers keep no revoked entry in them, but for platforms.
 */
export function registryObjection(
  view: RegistryView,
  subject: RegistrySubject,
  now: number,
): string | undefined {
  const { role, registry, version, models, registers } = subject
  if (now >= view.expiresAt * 1000) return 'the snapshot of the registry has expired'
  if (registry.globalId !== view.globalId || registry.address !== view.address)
    return 'the enclave follows another registry'
  const revoked = new Set(view.revoked)
  if (subject.platforms.some((id) => revoked.has(platformRevocationKey(id))))
    return 'the registry has revoked this platform'
  if (!atLeast(version, view.minSoftware))
    return `software version ${JSON.stringify(version)} is below ${view.minSoftware}, the registry's least`
  const measured = view.measurements.some(
    ({ roles, set }) => roles.includes(role) && measuredAs(registers, set) && ownedAs(registers, set),
  )
  if (!measured) return `the registry has no such measurements for the role ${role}`
  const other = models.find(
    ({ id, sha256 }) => !view.models.some((model) => model.id === id && model.sha256 === sha256),
  )
  if (other) return `the registry has no model ${JSON.stringify(other.id)} with this digest`
  if (role === 'gateway' && !view.gateways.includes(accountOf(subject.payoutAddress)))
    return 'the registry does not list this gateway'
  return undefined
}

/** The key under which a registry revokes a platform: SHA-256("chrysalis/platform/1" || 00 || id). `id` in hex. */
export function platformRevocationKey(id: string): string {
  return toHex(sha256(concat(utf8('chrysalis/platform/1\0'), fromHex(id))))
}

/** The account id of a raw address, hex: of the basechain only. */
function accountOf(address: string): string {
  return /^0:([0-9a-f]{64})$/.exec(address)?.[1] ?? ''
}

/** Whether a version of three numbers is the least or above. Anything else is not comparable, and so not enough. */
function atLeast(version: string, least: string): boolean {
  const [mine, floor] = [version, least].map((text) =>
    /^\d{1,5}\.\d{1,5}\.\d{1,5}$/.test(text) ? text.split('.').map(Number) : undefined,
  )
  if (!mine || !floor) return false
  const at = mine.findIndex((part, i) => part !== floor[i])
  return at < 0 || (mine[at] ?? 0) > (floor[at] ?? 0)
}
