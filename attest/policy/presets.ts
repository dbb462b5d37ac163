/** Ready policies. */

import { ChrysalisError } from '../errors.ts'
import { BUNDLE_FACTORS, EVENTLOG_FACTORS, GPU_FACTORS } from './factors.ts'
import type { Policy } from './policy.ts'

/** SHA-256 of the Intel SGX Root CA certificate (valid 2018-05-21 to 2049-12-31). */
export const INTEL_ROOT = '44a0196b2b99f889b8e149e95b807a350e7424964399e885a7cbb8ccfab674d3'

/** SHA-256 of the NVIDIA Device Identity CA certificate (valid from 2021-11-05, without end). */
export const NVIDIA_DEVICE_ROOT = '102bf659d5419614c9d8e6aecebc80454eb26b1df6a769ac720b9a690b167b48'

/** SHA-256 of the NVIDIA CoRIM signing Root CA certificate (valid 2023-03-16 to 2053-03-08). */
export const NVIDIA_RIM_ROOT = '12977b5115acb0381179279fffeb5a8c4d264971ebb32298023a465fa41df5d1'

/** Which versions are good is what reference measurements say; revocation and tokens need NVIDIA's services. */
const SECOND_OPINIONS = ['gpu.driver', 'gpu.vbios', 'gpu.ocsp', 'gpu.eat'] as const

/** Pins that a strict policy needs from whoever uses it. */
export type Pins = Pick<
  Policy,
  | 'measurements'
  | 'configurations'
  | 'models'
  | 'registry'
  | 'software'
  | 'revokedPlatforms'
  | 'modules'
  | 'minimumTeeTcbSvn'
>

export const PRESETS = ['platform', 'strict', 'strict-no-gpu', 'simulated'] as const
export type PresetName = (typeof PRESETS)[number]

/**
 * The preset of this name. Throws ChrysalisError ERR_POLICY for a name that is none, and for `simulated` without a
 * root.
 *
 * @param simulatedRootSha256 root of the simulated TEE, hex (see simulatedRoot)
 */
export function preset(name: string, simulatedRootSha256?: string): Policy {
  if (name === 'platform') return platform()
  if (name === 'strict') return strict()
  if (name === 'strict-no-gpu') return strictNoGpu()
  if (name !== 'simulated') {
    throw new ChrysalisError('ERR_POLICY', `policy: no preset ${JSON.stringify(name)}: ${PRESETS.join(', ')}`)
  }
  if (simulatedRootSha256 === undefined) {
    throw new ChrysalisError('ERR_POLICY', 'policy: the preset simulated needs the root of the simulation')
  }
  return simulated(simulatedRootSha256)
}

/**
 * The quote and the machine are genuine, current and not debuggable; says nothing of what runs. Everything that a bare
 * quote does not carry may be missing; what is there has to be right.
 */
export function platform(): Policy {
  return {
    name: 'platform',
    roots: [{ sha256: INTEL_ROOT, kind: 'intel' }],
    roles: ['worker', 'gateway'],
    freshness: ['caller-nonce', 'beacon', 'none'],
    evaluationFloor: 'dated',
    gpu: nvidia(false),
    skip: [
      ...BUNDLE_FACTORS.filter((name) => name !== 'bundle.format'),
      'measurement.allowed',
      'measurement.complete',
      'td.owner',
      ...EVENTLOG_FACTORS,
      // A report for nobody's nonce may be anybody's.
      ...GPU_FACTORS.filter((name) => name !== 'gpu.nonce'),
    ],
  }
}

/**
 * The platform, an attested GPU, and pinned measurements, models and registry. Without pins it refuses everything, and
 * the factors say which pins it lacks.
 */
export function strict(pins: Pins = {}): Policy {
  return {
    name: 'strict',
    roots: [{ sha256: INTEL_ROOT, kind: 'intel' }],
    roles: ['worker'],
    freshness: ['caller-nonce', 'beacon'],
    evaluationFloor: 'dated',
    gpu: nvidia(true),
    skip: [...SECOND_OPINIONS, 'software.allowed'],
    ...pins,
  }
}

/** As `strict`, for a worker or gateway without an accelerator: page traces of a hostile host can name tokens. */
export function strictNoGpu(pins: Pins = {}): Policy {
  return {
    ...strict(pins),
    name: 'strict-no-gpu',
    roles: ['worker', 'gateway'],
    gpu: nvidia(false),
    skip: ['software.allowed', 'sidechannel.token-access'],
  }
}

/**
 * For evidence of the simulated TEE of one installation: every signature, chain, date and binding is judged as with
 * hardware, but the root is a file, so this proves nothing about a machine. What no simulated installation has
 * (a registry, pinned measurements) may be skipped.
 *
 * @param rootSha256 SHA-256 of the simulated root certificate, hex (see simulatedRoot)
 */
export function simulated(rootSha256: string): Policy {
  return {
    name: 'simulated',
    roots: [{ sha256: rootSha256, kind: 'simulated' }],
    roles: ['worker', 'gateway'],
    freshness: ['caller-nonce'],
    evaluationFloor: 1,
    skip: [
      ...SECOND_OPINIONS,
      'measurement.allowed',
      'measurement.complete',
      'td.owner',
      'model.allowed',
      'software.allowed',
      'configuration.allowed',
      'registry.expected',
      'registry.allowed',
      'sidechannel.token-access',
    ],
  }
}

function nvidia(required: boolean): NonNullable<Policy['gpu']> {
  return {
    required,
    roots: [{ sha256: NVIDIA_DEVICE_ROOT, kind: 'nvidia' }],
    rimRoots: [{ sha256: NVIDIA_RIM_ROOT, kind: 'nvidia' }],
    modes: ['spt', 'mpt', 'ppcie'],
  }
}
