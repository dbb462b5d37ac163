/** Explains any file that has to do with attestation. It judges nothing: what it does not find wrong may still be. */

import { utf8 } from '../bytes.ts'
import { MEASUREMENTS_FORMAT } from '../measure/set.ts'
import { POLICY_FORMAT } from '../policy/policy.ts'
import { inspectDer, inspectPem } from './chain.ts'
import { inspectCollateral, inspectPcsAnswer } from './collateral.ts'
import {
  inspectBundle,
  inspectClaims,
  inspectMeasurements,
  inspectPolicy,
  inspectReceipt,
} from './documents.ts'
import {
  inspectDeviceClaims,
  inspectEat,
  inspectJwks,
  inspectJwt,
  isEatBundle,
  looksLikeDeviceClaims,
  looksLikeJwt,
} from './eat.ts'
import {
  inspectCcelTable,
  inspectDstack,
  inspectEventLog,
  looksLikeCcel,
  looksLikeCcelTable,
  looksLikeDstack,
  looksLikeEventLog,
} from './eventlog.ts'
import {
  devicesIn,
  inspectGpuEvidence,
  inspectGpuReport,
  inspectRim,
  looksLikeReport,
  looksLikeRim,
} from './gpu.ts'
import { inspectQuote, looksLikeQuote } from './quote.ts'
import { newReport, type Report } from './report.ts'
import { count, decodeText, textOf } from './text.ts'

export { allProblems, type Kind, type Report, type Row, type Section } from './report.ts'
export { printable } from './text.ts'

/** What an inspection may be told. */
export interface InspectOptions {
  /** Wall clock, ms: what has expired depends on it. */
  now: number
}

/** Finds out what these bytes are and explains them. Never throws: what cannot be told apart is `unknown`. */
export async function inspect(bytes: Uint8Array, { now }: InspectOptions): Promise<Report> {
  const text = textOf(bytes)?.trim()
  // Binary formats may happen to be UTF-8, so they come first.
  const found = (await inspectBinary(bytes, now)) ?? (text ? await inspectText(text, now) : undefined)
  return found ?? unknown(bytes)
}

async function inspectBinary(bytes: Uint8Array, now: number): Promise<Report | undefined> {
  if (looksLikeQuote(bytes)) return await inspectQuote(bytes, now)
  if (looksLikeCcel(bytes)) return await inspectEventLog(bytes)
  if (looksLikeCcelTable(bytes)) return await inspectCcelTable(bytes)
  if (looksLikeReport(bytes)) return await inspectGpuReport(bytes)
  if (bytes[0] === 0x30 && (bytes[1] ?? 0) >= 0x80) return await inspectDer(bytes, now)
  return undefined
}

async function inspectText(text: string, now: number): Promise<Report | undefined> {
  if (text.startsWith('-----BEGIN CERTIFICATE')) return await inspectPem(text, now)
  if (looksLikeRim(text)) return inspectRim(text)
  if (looksLikeJwt(text)) return await inspectJwt(text, now)
  if (text.startsWith('{') || text.startsWith('[') || text.startsWith('"'))
    return await inspectJson(text, now)
  const inner = decodeText(text)
  if (inner === undefined) return undefined
  const report = await inspect(inner.bytes, { now })
  if (report.kind !== 'unknown') report.title += `, in ${inner.encoding}`
  return report
}

type Json = Record<string, unknown>

async function inspectJson(text: string, now: number): Promise<Report | undefined> {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch {
    const report = newReport('unknown', 'a text that begins like JSON')
    report.problems.push('it is not JSON: cut short, or changed')
    return report
  }
  if (typeof json === 'string') return await inspectText(json.trim(), now)
  if (isEatBundle(json)) return await inspectEat(json, now)
  if (looksLikeEventLog(json)) return await inspectEventLog(utf8(text))
  if (looksLikeDstack(json)) return await inspectDstack(json, utf8(text), now)
  const devices = devicesIn(json)
  if (devices !== undefined) return await inspectGpuEvidence(json, devices, now)
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return undefined
  return await inspectObject(json as Json, text, now)
}

async function inspectObject(json: Json, text: string, now: number): Promise<Report | undefined> {
  const has = (...names: string[]): boolean => names.every((name) => json[name] !== undefined)
  if (typeof json.format === 'string' && json.format.startsWith('chrysalis/evidence/'))
    return await inspectBundle(json, now, other)
  if (json.object === 'chrysalis.attestation') return await inspectAnswer(json, now)
  if (has('tcb_info', 'qe_identity')) return await inspectCollateral(json, now)
  if (has('signature') && (has('tcbInfo') || has('enclaveIdentity'))) return await inspectPcsAnswer(json, now)
  if (has('role', 'bootId', 'epoch')) return await inspectClaims(utf8(text), now)
  if (json.object === 'receipt' || has('payload', 'signature')) return await inspectReceipt(json)
  if (json.format === MEASUREMENTS_FORMAT) return await inspectMeasurements(text)
  if (json.format === POLICY_FORMAT || has('roots', 'skip')) return await inspectPolicy(json)
  if (Array.isArray(json.keys)) return inspectJwks({ keys: json.keys })
  // What NVIDIA's own tool prints holds the tokens; its other forms hold the claims alone.
  if (isEatBundle(json.detached_eat)) return await inspectEat(json.detached_eat, now)
  const claims = Object.entries(json).filter(([, value]) => looksLikeDeviceClaims(value))
  if (claims.length > 0) {
    const report = newReport('eat', `claims about ${count(claims.length, 'device')}`)
    for (const [name, value] of claims)
      report.parts.push(inspectDeviceClaims(value as Json, `claims of ${name}`))
    return report
  }
  return undefined
}

/** Explains what `GET /v1/attestation` answered. */
async function inspectAnswer(json: Json, now: number): Promise<Report> {
  const report = newReport('attestation-answer', 'evidence of a gateway and its workers')
  const workers = Array.isArray(json.workers) ? (json.workers as unknown[]) : []
  const bundles = [json.gateway, ...workers.map((worker) => (worker as Json | null)?.evidence)]
  for (const bundle of bundles)
    if (typeof bundle === 'object' && bundle !== null)
      report.parts.push(await inspectBundle(bundle, now, other))
  if (report.parts.length === 0) report.problems.push('there is no evidence in it')
  return report
}

async function other(bytes: Uint8Array, now: number): Promise<Report> {
  return await inspect(bytes, { now })
}

function unknown(bytes: Uint8Array): Report {
  const report = newReport('unknown', bytes.length === 0 ? 'an empty file' : 'nothing that is known here')
  if (bytes.length > 0)
    report.problems.push(
      'known are: TDX quotes (binary, hex, base64), bundles, claims, collateral, certificates and CRLs (PEM, DER), event logs, GPU evidence and reports, RIMs, EAT, JWKS, receipts, policies, measurement sets',
    )
  return report
}
