/** What this gateway demands of workers, and what it lets be measured of itself. */

import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigError } from '../attest/cli/config.ts'
import { simulatedRootOf, whichTee } from '../attest/cli/open-tee.ts'
import { isHardware, policyDigest, readPolicySetting } from '../attest/cli/policy-setting.ts'
import { codeOf } from '../attest/cli/process.ts'
import type { Tee } from '../attest/evidence/index.ts'
import type { GuestMachine } from '../attest/guest/index.ts'
import type { Policy } from '../attest/policy/index.ts'
import { SimulatedGpus, simulatedGpuPolicy } from '../attest/simulate/index.ts'
import { type GatewayConfig, pinnedModels } from './config.ts'

export interface Trust {
  /** The TEE that this gateway runs in. */
  kind: Tee['kind']
  /** What a worker's evidence has to meet. */
  policy: Policy
  /** Reference measurements of GPUs: RIM documents (XML). */
  rims: readonly Uint8Array[]
  /** Hardware on both sides: this gateway's, and by its policy every worker's. */
  real: boolean
}

/** Reads what is trusted. @throws ConfigError for a policy of no use */
export async function readTrust(config: GatewayConfig, machine: GuestMachine): Promise<Trust> {
  const kind = await whichTee(config.tee, machine)
  if (kind === 'tdx' && config.policy === undefined) {
    throw new ConfigError('setting policy: needed in a TDX guest: name the policy that workers have to meet')
  }
  const policy = withPins(await basePolicy(config), config.pinModels)
  const rims = await readRims(config.rims)
  return { kind, policy, rims, real: isHardware(kind, policy) }
}

async function basePolicy(config: GatewayConfig): Promise<Policy> {
  const { policy, simulatedGpus, teeDir } = config
  const simulatedRoot = () => simulatedRootOf(teeDir, Date.now)
  const registry = config.registry !== undefined
  const base = await readPolicySetting(policy, { setting: 'policy', role: 'worker', simulatedRoot, registry })
  if (!simulatedGpus) return base
  if (policy !== undefined) {
    throw new ConfigError(
      'setting simulatedGpus: goes with the default policy; a policy names its own GPU roots',
    )
  }
  const { roots } = await SimulatedGpus.open(teeDir, { now: Date.now })
  // The same installation's word as its simulated TEE. Versions and tokens are nothing that it could be held to.
  return {
    ...base,
    gpu: simulatedGpuPolicy(roots),
    skip: [...base.skip, 'gpu.driver', 'gpu.vbios', 'gpu.eat', 'gpu.ocsp'],
  }
}

/** Every .xml and .swidtag file of a folder; whether they are signed is for the judge. @throws ConfigError */
async function readRims(folder: string | undefined): Promise<Uint8Array[]> {
  if (folder === undefined) return []
  try {
    const names = (await readdir(folder)).filter((name) => /\.(xml|swidtag)$/i.test(name)).sort()
    return await Promise.all(names.map(async (name) => new Uint8Array(await readFile(join(folder, name)))))
  } catch (error) {
    throw new ConfigError(`setting rims: ${folder} cannot be read (${codeOf(error)})`)
  }
}

function withPins(policy: Policy, pinModels: string | undefined): Policy {
  const models = pinnedModels(pinModels)
  if (!models) return policy
  if (policy.models) {
    throw new ConfigError('setting pinModels: goes without a policy that pins models itself; name them there')
  }
  return { ...policy, models }
}

/** The settings that change what this gateway does with a request: measured, so that a worker can pin them. */
export function measuredConfiguration(config: GatewayConfig, policy: Policy): Record<string, unknown> {
  const { maxBodyBytes, requestsPerMinute, tokensPerMinute, deadlineSeconds, logLevel } = config
  return {
    role: 'gateway',
    limits: {
      bodyBytes: maxBodyBytes,
      requestsPerMinute,
      ...(tokensPerMinute !== undefined && { tokensPerMinute }),
      deadlineSeconds,
    },
    ...(config.alias && { aliases: config.alias }),
    ...(config.defaultModel !== undefined && { defaultModel: config.defaultModel }),
    logLevel,
    workerPolicy: policyDigest(policy),
  }
}
