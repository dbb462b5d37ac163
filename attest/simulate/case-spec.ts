/** What a case of simulated evidence is made of. */

import type { EvidenceBundle } from '../evidence/bundle.ts'
import type { Claims } from '../evidence/claims.ts'
import type { FactorName } from '../policy/factors.ts'
import type { GpuPolicy, Policy } from '../policy/policy.ts'
import type { TcbStatus } from '../tdx/tcb.ts'
import type { CollateralSpec } from './collateral.ts'
import type { SimulatedBoot } from './eventlog.ts'
import type { GpuForgery, SimulatedGpus, SimulatedGpusOptions } from './gpu.ts'
import type { CertificateChanges, Platform, Role } from './platform.ts'
import type { Forgery } from './tee.ts'

/** What the parts of a case can refer to. */
export interface CaseContext {
  /** ms */ now: number
  platform: Platform
  /** Another installation's platform, whose root the policy does not pin. */
  other: Platform
  /** What the simulated TD boots and measures. */
  boot: SimulatedBoot
  claims: Claims
  /** The nonce that the verifier chose, 32 bytes. */
  nonce: Uint8Array
  gpus: SimulatedGpus | undefined
}

type From<T> = T | ((context: CaseContext) => T)

/** One case: good evidence with changes. Everything absent stays good. */
export interface CaseSpec {
  /** One sentence for a person. */
  summary: string
  /** The factors that fail; none where the evidence is accepted. */
  failed?: readonly FactorName[]
  /** Factors that nothing could judge and that the policy does not forgive, where nothing fails. */
  missing?: readonly FactorName[]
  /** The converged TCB status, where the case is about it. */
  tcbStatus?: TcbStatus
  /** Changes to the platform's certificates, before anything is made. */
  certificates?: (now: number) => Partial<Record<Role, CertificateChanges>>
  claims?: (claims: Claims, context: { now: number }) => Claims
  /** Changes to what the TD measured, so that the claims differ from it. */
  boot?: (boot: SimulatedBoot) => SimulatedBoot
  forgery?: From<Forgery>
  collateral?: From<Partial<CollateralSpec>>
  policy?: From<Partial<Policy>>
  /** Factors that the policy forgives besides those of the simulated preset. */
  skip?: readonly FactorName[]
  /** The TD's GPUs; none when absent. */
  gpus?: Omit<SimulatedGpusOptions, 'now'>
  gpuForgery?: GpuForgery
  gpuPolicy?: Partial<GpuPolicy>
  /** The last change, to the finished bundle. */
  bundle?: (bundle: EvidenceBundle, context: CaseContext) => EvidenceBundle
  /** The nonce that the evidence is made for, where it is not the verifier's. */
  madeFor?: Uint8Array
}

export type CaseTable = Readonly<Record<string, CaseSpec>>
