/** The named factors of a verdict. A verdict lists every factor of the table, in this order, and no other. */

import { ChrysalisError } from '../errors.ts'

/** Factors about the quote and its collateral alone. */
export const QUOTE_FACTORS = [
  'quote.format',
  'collateral.format',
  'anchor.pinned',
  'anchor.kind',
  'pck.chain',
  'pck.revocation',
  'ca.revocation',
  'tcbinfo.signature',
  'qeidentity.signature',
  'crl.signature',
  'collateral.fresh',
  'platform.match',
  'platform.allowed',
  'qe.report',
  'qe.identity',
  'qe.tcb',
  'quote.signature',
  'seam.signer',
  'seam.attributes',
  'seam.module',
  'tcb.status',
  'tcb.advisories',
  'tcb.evaluation-floor',
  'td.debug',
  'td.migratable',
  'td.sept-ve-disable',
  'td.attributes',
  'td.xfam',
  'td.service',
  'td.owner',
  'measurement.allowed',
  'measurement.complete',
] as const

/** Factors about the event log: what the run-time registers of the quote stand for. */
export const EVENTLOG_FACTORS = [
  'eventlog.format',
  'eventlog.replay',
  'eventlog.digests',
  'eventlog.claims',
] as const

/** Factors about accelerators. */
export const GPU_FACTORS = [
  'gpu.format',
  'gpu.chain',
  'gpu.signature',
  'gpu.nonce',
  'gpu.fwid',
  'gpu.rim-signature',
  'gpu.rim',
  'gpu.driver',
  'gpu.vbios',
  'gpu.devtools',
  'gpu.mode',
  'gpu.distinct',
  'gpu.complete',
  'gpu.switch',
  'gpu.ocsp',
  'gpu.eat',
] as const

/** Factors about the bundle around quote, log and accelerators. */
export const BUNDLE_FACTORS = [
  'bundle.format',
  'claims.format',
  'reportdata.binding',
  'evidence.freshness',
  'role.expected',
  'epoch.valid',
  'model.allowed',
  'software.allowed',
  'configuration.allowed',
  'registry.expected',
  'registry.allowed',
  'sidechannel.token-access',
] as const

/** Every factor, in the order of a verdict. */
export const FACTORS = [...BUNDLE_FACTORS, ...QUOTE_FACTORS, ...EVENTLOG_FACTORS, ...GPU_FACTORS] as const

export type FactorName = (typeof FACTORS)[number]

export interface Factor {
  name: FactorName
  result: 'pass' | 'fail' | 'skip' | 'not-applicable'
  /** One sentence for a person; match on name and result, not on this. */
  reason: string
}

const MAX_REASON = 240

/** Collects the factors of one verdict. The first result of a factor stands. */
export class Factors {
  readonly #results = new Map<FactorName, Factor>()

  set(name: FactorName, result: Factor['result'], reason: string): void {
    if (this.#results.has(name)) return
    // Reasons may quote evidence, which is an attacker's text, and they go into logs: one short line each.
    const line = reason.replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, ' ').slice(0, MAX_REASON)
    this.#results.set(name, { name, result, reason: line })
  }

  /** Whether a factor was judged, and passed. */
  passed(name: FactorName): boolean {
    return this.#results.get(name)?.result === 'pass'
  }

  /** Passes or fails a factor. */
  expect(name: FactorName, ok: boolean, whenOk: string, otherwise: string): void {
    this.set(name, ok ? 'pass' : 'fail', ok ? whenOk : otherwise)
  }

  /**
   * Runs one check: the factor passes with the reason given, or fails with the message of what was thrown.
   * Returns what the check returned, undefined when it failed.
   */
  async check<T>(name: FactorName, reason: string, run: () => T | Promise<T>): Promise<T | undefined> {
    try {
      const value = await run()
      this.set(name, 'pass', reason)
      return value
    } catch (error) {
      // Anything unforeseen is a failure too: nothing that throws may end in a pass.
      this.set(name, 'fail', failureReason(error))
      return undefined
    }
  }

  /** All factors of `names` in order; one that nothing judged is a skip. */
  list(names: readonly FactorName[]): Factor[] {
    return names.map(
      (name) =>
        this.#results.get(name) ?? {
          name,
          result: 'skip',
          reason: 'not judged, because an earlier factor failed',
        },
    )
  }
}

/** What a factor says when its check threw: our own message, and no more of anything else than that it happened. */
export function failureReason(error: unknown): string {
  return error instanceof ChrysalisError ? error.message : 'the check could not be completed'
}

/** Whether these factors amount to acceptance: no failure, and no skip but those that the policy names. */
export function accepted(factors: readonly Factor[], skip: readonly string[]): boolean {
  return factors.every(
    ({ name, result }) =>
      result === 'pass' || result === 'not-applicable' || (result === 'skip' && skip.includes(name)),
  )
}
