/** What a verifier concludes: every factor once, and the fields of the quote for people and logs. */

import { toHex } from '../bytes.ts'
import type { BelievedEvents } from '../eventlog/index.ts'
import type { GpuFindings } from '../gpu/judge.ts'
import { accepted, type Factor } from '../policy/factors.ts'
import type { QuoteVerdict } from '../tdx/verify.ts'
import type { Claims } from './claims.ts'
import type { RegistrySubject } from './judge-registry.ts'

/** What the quote says, in hex. */
export interface VerdictFields {
  quoteVersion?: number
  mrTd?: string
  rtmr?: readonly string[]
  mrSeam?: string
  teeTcbSvn?: string
  tdAttributes?: string
  xfam?: string
  reportData?: string
  fmspc?: string
  tcbEvaluationDataNumber?: number
  /** When the collateral runs out, ms. */
  collateralUntil?: number
  /** The last moment (ms) at which certificates, lists, documents, evaluation floor and the registry's snapshot are those of this verdict. */
  validUntil?: number
  /** SHA-256 of the configuration that the TD measured: what `configurations` of a policy pins. */
  configurationSha256?: string
  /** GPUs and switches whose signed reports were proven. */
  accelerators?: GpuFindings['devices']
}

export interface Verdict {
  verdict: 'accept' | 'refuse'
  /** What the pinned anchor vouches for; `none` when no pinned anchor was reached. Never the bundle's own word. */
  tee: 'tdx' | 'simulated-tdx' | 'none'
  tcbStatus?: string
  advisories: readonly string[]
  factors: Factor[]
  /** Factors whose skip the policy forgives. */
  maySkip: readonly string[]
  /** Present only in an accepting verdict, so that unproven claims are never used by mistake. */
  claims?: Claims
  claimsBytes?: Uint8Array
  /** What a registry can be asked about this enclave again; present only in an accepting verdict. */
  subject?: RegistrySubject
  /** What the event log proves of the boot and of our own events; present only in an accepting verdict. */
  measured?: BelievedEvents
  /** Hex. */
  claimsDigest?: string
  fields: VerdictFields
}

/** Names of the factors that stand against acceptance, in order: failures, and skips that the policy does not name. */
export function failedFactors(verdict: Verdict): string[] {
  return against(verdict).map(({ name }) => name)
}

/** The same with their reasons, `name: reason`, each one short line that is safe to log. */
export function refusalReasons(verdict: Verdict): string[] {
  return against(verdict).map(({ name, reason }) => `${name}: ${reason}`)
}

function against({ factors, maySkip }: Verdict): Factor[] {
  return factors.filter((factor) => !accepted([factor], maySkip))
}

/** The fields of a judged quote and of proven accelerators. */
export function fieldsOf(verdict: QuoteVerdict | undefined, gpu?: GpuFindings): VerdictFields {
  const proven = gpu !== undefined && gpu.devices.length > 0
  const ends = [verdict && [verdict.validUntil], proven && [gpu.validUntil]].flatMap((end) => end || [])
  // A quote that nothing is proven of has no such moment, whatever its accelerators have.
  const until = Math.min(...ends.map((end) => end ?? Number.NaN))
  return {
    ...quoteFields(verdict),
    ...(proven && { accelerators: gpu.devices }),
    ...(Number.isFinite(until) && { validUntil: until }),
  }
}

function quoteFields(verdict: QuoteVerdict | undefined): VerdictFields {
  if (verdict?.quote === undefined) return {}
  const { quote, platform, evaluationDataNumber, collateralUntil } = verdict
  const { body } = quote
  return {
    quoteVersion: quote.version,
    mrTd: toHex(body.mrTd),
    rtmr: body.rtmr.map(toHex),
    mrSeam: toHex(body.mrSeam),
    teeTcbSvn: toHex(body.teeTcbSvn),
    tdAttributes: toHex(body.tdAttributes),
    xfam: toHex(body.xfam),
    reportData: toHex(body.reportData),
    ...(platform === undefined ? {} : { fmspc: platform.fmspc }),
    ...(evaluationDataNumber === undefined ? {} : { tcbEvaluationDataNumber: evaluationDataNumber }),
    ...(collateralUntil === undefined ? {} : { collateralUntil }),
  }
}
