/** Stand-ins until attest/gpu lands. */

import { type Factors, GPU_FACTORS } from '../policy/factors.ts'
import type { Policy } from '../policy/policy.ts'
import type { AnchorKind } from '../tdx/chains.ts'
import type { Claims } from './claims.ts'

/** What the verifier brings along: reference measurements, keys, a way to ask about revocation. */
export interface GpuTools {
  /** RIM documents (XML) besides those that the evidence delivers. */
  rims?: readonly Uint8Array[]
  /** Keys of NVIDIA's attestation service. */
  jwks?: unknown
}

export interface GpuInput {
  bytes: Uint8Array | undefined
  /** The 32 bytes that every report has to carry; undefined when nobody named one. */
  nonce: Uint8Array | undefined
  claims: Claims | undefined
  /** Of the quote: hardware goes with hardware, simulation with simulation. */
  anchor: AnchorKind | undefined
  now: number
  tools: GpuTools
}

export async function judgeGpu(factors: Factors, { bytes, claims }: GpuInput, policy: Policy): Promise<void> {
  const claimed = (claims?.accelerators.length ?? 0) > 0
  if (!claimed && bytes === undefined && policy.gpu?.required && claims?.role === 'worker')
    factors.set('gpu.complete', 'fail', 'the policy demands an accelerator, and none is claimed')
  for (const name of GPU_FACTORS) {
    if (!claimed && bytes === undefined) factors.set(name, 'not-applicable', 'no accelerator is claimed')
    else if (claims !== undefined && !claimed)
      factors.set(name, 'fail', 'GPU evidence without a claimed accelerator')
    else if (bytes === undefined) factors.set(name, 'fail', 'an accelerator is claimed without GPU evidence')
    else factors.set(name, 'fail', 'GPU evidence is not judged by this version')
  }
}
