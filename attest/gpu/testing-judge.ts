/** Judges GPU evidence alone, for tests. */

import type { Claims } from '../evidence/claims.ts'
import { accepted, type FactorName, Factors, GPU_FACTORS } from '../policy/factors.ts'
import type { Policy } from '../policy/policy.ts'
import { platform } from '../policy/presets.ts'
import { type GpuFindings, type GpuInput, judgeGpu } from './judge.ts'
import { GPU_NOW } from './testing.ts'

/** "gpu evidence alone: signature, chain, nonce as given; no RIM, no OCSP", as nvidia/index.json names it. */
const REPORT_ALONE: readonly FactorName[] = [
  'gpu.fwid',
  'gpu.rim-signature',
  'gpu.rim',
  'gpu.driver',
  'gpu.vbios',
  'gpu.devtools',
  'gpu.mode',
  'gpu.complete',
  'gpu.switch',
  'gpu.ocsp',
  'gpu.eat',
]
export const ALONE: Policy = { ...platform(), name: 'gpu-alone', skip: [...REPORT_ALONE] }
/** While the signers of the manifests among the vectors were in date. */
export const THEN = Date.UTC(2024, 5, 1)
/** For simulated devices. */
export const NOW = Date.UTC(2026, 10, 23)

export interface Judged {
  verdict: 'accept' | 'refuse'
  findings: GpuFindings
  results: Record<string, string>
  reasons: Record<string, string>
}

/** Every GPU factor, and what they amount to under a policy. */
export async function judge(
  bytes: Uint8Array | undefined,
  more: Partial<GpuInput> = {},
  policy = ALONE,
): Promise<Judged> {
  const factors = new Factors()
  const input = { bytes, nonce: undefined, claims: undefined, anchor: undefined, now: GPU_NOW, tools: {} }
  const findings = await judgeGpu(factors, { ...input, ...more }, policy)
  const list = factors.list(GPU_FACTORS)
  return {
    findings,
    verdict: accepted(list, policy.skip) ? 'accept' : 'refuse',
    results: Object.fromEntries(list.map(({ name, result }) => [name, result])),
    reasons: Object.fromEntries(list.map(({ name, reason }) => [name, reason])),
  }
}

export type Accelerator = Claims['accelerators'][number]

/** A worker's claims, as far as accelerators go. */
export const claiming = (...accelerators: Accelerator[]): Claims =>
  ({ role: 'worker', accelerators }) as unknown as Claims
