/** The policy that a long-running process demands of its peers, from a setting: a preset by name, or a file. */

import { readFile } from 'node:fs/promises'
import { toHex } from '../bytes.ts'
import { sha256 } from '../crypto.ts'
import { ChrysalisError } from '../errors.ts'
import type { Tee } from '../evidence/bundle.ts'
import { canonicalBytes } from '../json.ts'
import { EVENTLOG_FACTORS, type FactorName } from '../policy/factors.ts'
import { decodePolicy, type Policy } from '../policy/policy.ts'
import { INTEL_ROOT, PRESETS, preset, simulated } from '../policy/presets.ts'
import { ConfigError } from './config.ts'

interface PolicyPurpose {
  /** The setting, as error messages name it. */
  setting: string
  /** The role of those who are judged. */
  role: 'worker' | 'gateway'
  /** SHA-256 of the root of this installation's simulated TEE, hex; asked only when the policy needs it. */
  simulatedRoot: () => Promise<string>
  /** A registry pins measurements, so that the policy need not. */
  registry?: boolean
}

/**
 * Reads the policy: undefined is that of this installation's simulated TEE, a name of `PRESETS` a preset, all else a
 * file. It is narrowed to the role that is judged.
 *
 * @throws ConfigError for a file that cannot be read or is no policy, for one that is not about this role, and for one
 *   that does not take a nonce of the verifier, which is what a link brings, and for one that takes hardware without
 *   insisting on what runs there
 */
export async function readPolicySetting(value: string | undefined, purpose: PolicyPurpose): Promise<Policy> {
  const { setting, role, simulatedRoot, registry = false } = purpose
  const fault = (problem: string): ConfigError =>
    new ConfigError(`setting ${setting}: ${value ?? 'default'}: ${problem}`)
  const policy =
    value === undefined ? simulated(await simulatedRoot()) : await find(value, simulatedRoot, fault)
  if (!policy.roles.includes(role)) {
    const cure = `name one whose roles include ${role}, for example a file made with: attest policy`
    throw fault(`the policy ${policy.name} is about the role ${policy.roles.join(', ')}; ${cure}`)
  }
  if (!policy.freshness.includes('caller-nonce')) {
    throw fault(`the policy ${policy.name} has no caller-nonce in freshness, and that is what a link brings`)
  }
  // Labelled otherwise, Intel's root still is one that anybody's machine ends in.
  const hardware = policy.roots.some(({ kind, sha256 }) => kind === 'intel' || sha256 === INTEL_ROOT)
  if (hardware) checkPins(policy, registry, fault)
  return { ...policy, roles: [role] }
}

/** What says which program it is that a peer runs, and for whom: on a link none of it may be missing. */
const TELLING: readonly FactorName[] = [
  'claims.format',
  'reportdata.binding',
  'evidence.freshness',
  'role.expected',
  'epoch.valid',
  'configuration.allowed',
  'td.owner',
  'measurement.allowed',
  'measurement.complete',
  ...EVENTLOG_FACTORS,
]

function checkPins(
  { name, measurements = [], skip }: Policy,
  registry: boolean,
  fault: (problem: string) => ConfigError,
): void {
  const open = `the policy ${name} says nothing of what runs, so anybody's TD would pass`
  const made = 'pin measurements in a file made with: attest policy strict'
  if (measurements.length === 0 && !registry) throw fault(`${open}; ${made}, or follow a registry`)
  const missing = TELLING.filter((factor) => skip.includes(factor))
  if (missing.length === 0) return
  const list = missing.join(', ')
  throw fault(`the policy ${name} does not insist on what runs; take these out of its skip: ${list}`)
}

async function find(
  value: string,
  simulatedRoot: () => Promise<string>,
  fault: (problem: string) => ConfigError,
): Promise<Policy> {
  if (value === 'simulated') return simulated(await simulatedRoot())
  if ((PRESETS as readonly string[]).includes(value)) return preset(value)
  let bytes: Uint8Array
  try {
    bytes = await readFile(value)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw fault(`neither a preset (${PRESETS.join(', ')}) nor a file that can be read (${code ?? 'unknown'})`)
  }
  try {
    return decodePolicy(bytes)
  } catch (error) {
    throw fault(error instanceof ChrysalisError ? error.message : 'no policy file')
  }
}

/** SHA-256 of a policy's RFC 8785 bytes, hex: what a measured configuration says of it. */
export function policyDigest(policy: Policy): string {
  return toHex(sha256(canonicalBytes(policy)))
}

/** Hardware on both sides: this process's TEE, and by its policy that of every peer. */
export function isHardware(kind: Tee['kind'], { roots }: Policy): boolean {
  return kind === 'tdx' && roots.every((root) => root.kind === 'intel')
}
