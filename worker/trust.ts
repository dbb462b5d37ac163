/** What a worker demands of a gateway, and what it lets be measured of itself. */

import { ConfigError } from '../attest/cli/config.ts'
import { simulatedRootOf } from '../attest/cli/open-tee.ts'
import { policyDigest, readPolicySetting } from '../attest/cli/policy-setting.ts'
import type { Tee } from '../attest/evidence/index.ts'
import { type Policy, simulated } from '../attest/policy/index.ts'
import { systemClock } from './clock.ts'
import type { WorkerSettings } from './config.ts'
import { LINK_LIMITS, PATHS } from './protocol/index.ts'

/**
 * The policy for gateways.
 *
 * @param teeFolder of the simulated TEE, whose root is the default
 * @throws ConfigError for a policy of no use, and for none inside a TDX guest: whoever took simulated gateways there
 *   by default would undo what the guest is for
 */
export async function readGatewayPolicy(
  { gatewayPolicy, gatewayRoot, registry }: WorkerSettings,
  kind: Tee['kind'],
  teeFolder: string,
): Promise<Policy> {
  if (gatewayPolicy !== undefined && gatewayRoot !== undefined) {
    throw new ConfigError('setting gatewayRoot: goes without gatewayPolicy, which names its own roots')
  }
  if (gatewayRoot !== undefined) return { ...simulated(gatewayRoot), name: 'gateway', roles: ['gateway'] }
  if (kind === 'tdx' && gatewayPolicy === undefined) {
    throw new ConfigError(
      'setting gatewayPolicy: needed in a TDX guest: name the policy that gateways have to meet',
    )
  }
  const simulatedRoot = () => simulatedRootOf(teeFolder, systemClock.now)
  return await readPolicySetting(gatewayPolicy, {
    ...{ setting: 'gatewayPolicy', role: 'gateway', simulatedRoot },
    registry: registry !== undefined,
  })
}

/** The settings that change what this worker does with a request: measured, so that a verifier can pin them. */
export function measuredConfiguration(
  { gpu, sequences, contextLength, logLevel, translationCache }: WorkerSettings,
  policy: Policy,
): Record<string, unknown> {
  return {
    role: 'worker',
    engine: { gpu, sequences, contextLength: contextLength ?? null },
    gatewayPolicy: policyDigest(policy),
    limits: { requestBytes: LINK_LIMITS.maxRequestBytes },
    logLevel,
    paths: Object.keys(PATHS).sort(),
    translationCache,
  }
}
