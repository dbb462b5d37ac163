/** Our own documents in words: claims, bundles, answers of a gateway, receipts, policies, measurement sets. */

import { equalBytes, fromBase64, fromBase64Url, toHex, utf8 } from '../bytes.ts'
import { openBundle, reportData } from '../evidence/bundle.ts'
import { type Claims, claimsDigest, epochId, parseClaims } from '../evidence/claims.ts'
import { parseStrictJson } from '../json.ts'
import { parseMeasurements } from '../measure/set.ts'
import { parsePolicy } from '../policy/policy.ts'
import { receiptBodySchema, signedReceiptSchema } from '../receipt/body.ts'
import { parseQuote } from '../tdx/quote.ts'
import { inspectCollateral } from './collateral.ts'
import { compareWithLog } from './eventlog.ts'
import { policyInWords } from './policy.ts'
import { inspectQuote } from './quote.ts'
import { addSection, attempt, newReport, type Report, row } from './report.ts'
import { count, date } from './text.ts'

/** Explains the claims of an enclave. */
export async function inspectClaims(bytes: Uint8Array, now: number): Promise<Report> {
  const report = newReport('claims', 'claims: what an enclave says about itself')
  const claims = await attempt(report, 'claims', () => parseClaims(bytes))
  if (claims === undefined) return report
  report.title = `claims of a ${claims.role}`
  addSection(report, 'claims', [
    row('digest', toHex(claimsDigest(bytes)), 'the one name of this evidence'),
    row('boot id', claims.bootId, 'one run of the program'),
    row('signing key', claims.signingKey, 'Ed25519: signs receipts'),
    row('software', `${claims.software.version} ${claims.software.commit}`),
    row('registry', claims.registry.address || 'none', `of network ${claims.registry.globalId}`),
    row('paid at', claims.payoutAddress || 'nowhere'),
    row('embedding table', claims.embedding === 'gpu' ? 'on the GPU' : 'in guest memory'),
    row('TLS key', claims.tlsSpkiSha256, 'SHA-256 of the public key'),
  ])
  addEpoch(report, claims, now)
  addSection(
    report,
    'models',
    claims.models.map(({ id, sha256, quantization, contextLength }) =>
      row(id, sha256, `${quantization}, ${count(contextLength, 'token')} of context`),
    ),
  )
  addSection(
    report,
    'accelerators',
    claims.accelerators.map(({ arch, deviceId, mode }) => row(arch, deviceId, mode)),
  )
  report.signatures.push('claims: by nobody; a quote binds them by their digest')
  return report
}

function addEpoch(report: Report, { epoch }: Claims, now: number): void {
  addSection(report, 'epoch: the key that requests are sealed to', [
    row('id', epoch.id),
    row('from', date(epoch.notBefore)),
    row('to', date(epoch.notAfter), `${(epoch.notAfter - epoch.notBefore) / 1000} s`),
  ])
  if (toHex(epochId(fromBase64(epoch.publicKey))) !== epoch.id)
    report.problems.push('epoch: its id is not the digest of its key')
  if (now >= epoch.notAfter) report.problems.push('epoch: is over')
}

/** Explains an evidence bundle and everything in it. `other` explains an event log or GPU evidence. */
export async function inspectBundle(
  json: unknown,
  now: number,
  other: (bytes: Uint8Array, now: number) => Promise<Report>,
): Promise<Report> {
  const report = newReport('bundle', 'an evidence bundle')
  const opened = await attempt(report, 'bundle', () => openBundle(json))
  if (opened === undefined) return report
  const { tee, nonce, claims, quote, collateral, eventLog, gpu } = opened
  addSection(report, 'bundle', [
    row(
      'made by',
      tee,
      tee === 'tdx' ? 'so it says; only its root can tell' : 'a program that simulates TDX',
    ),
    row('nonce', toHex(nonce), 'chosen by whoever asked for it'),
    row('event log', eventLog === undefined ? 'none' : count(eventLog.length, 'byte')),
    row('GPU evidence', gpu === undefined ? 'none' : count(gpu.length, 'byte')),
    row('collateral', collateral === undefined ? 'none: it must come from elsewhere' : 'inside'),
  ])
  const body = await attempt(report, 'quote', () => parseQuote(quote).body)
  const bound = reportData({ nonce, claimsDigest: claimsDigest(claims), gpu })
  if (body !== undefined && !equalBytes(bound, body.reportData))
    report.problems.push(
      'REPORTDATA: the quote was made for other claims, another nonce or other GPU evidence',
    )
  report.signatures.push('nonce, claims and GPU evidence: bound into REPORTDATA of the quote')
  report.parts.push(await inspectClaims(claims, now), await inspectQuote(quote, now))
  if (eventLog !== undefined) await compareWithLog(report, quote, eventLog)
  if (collateral !== undefined) report.parts.push(await inspectCollateral(collateral, now))
  for (const bytes of [eventLog, gpu]) if (bytes !== undefined) report.parts.push(await other(bytes, now))
  return report
}

/** Explains a receipt: the signed envelope alone or the gateway's answer around it. */
export async function inspectReceipt(json: Record<string, unknown>): Promise<Report> {
  const report = newReport('receipt', 'a receipt: what an enclave signed about one request')
  const outer = json.receipt === undefined ? undefined : json
  const envelope = await attempt(report, 'receipt', () => {
    const { payload } = signedReceiptSchema.parse(outer?.receipt ?? json)
    return receiptBodySchema.parse(parseStrictJson(fromBase64Url(payload)))
  })
  if (outer !== undefined)
    addSection(report, 'the gateway says, and nobody signed', [
      row('request', text(outer.id)),
      row('charged', text(outer.charged), 'nanotons'),
      row('signing key', text(outer.signing_key)),
    ])
  if (envelope === undefined) return report
  addSection(report, 'the enclave says', [
    row('request', envelope.requestId),
    row('status', envelope.status),
    row('model', envelope.model.id, `SHA-256 ${envelope.model.sha256}`),
    row('charge to the client', envelope.clientCharge, 'nanotons'),
    row('pay of the worker', envelope.workerCharge, 'nanotons'),
    row('TEE', envelope.tee),
    row('issued', date(envelope.issuedAt), 'by the clock of the enclave'),
    row('evidence', envelope.claimsDigest, 'digest of the claims: which enclave this was'),
    row('transcript', envelope.transcript, 'digest of every frame of the answer'),
    row('sealed request', envelope.h),
    row('token counts and times', envelope.details, 'a commitment: only the payer sees them'),
  ])
  report.signatures.push('the receipt: by the signing key (Ed25519) that the claims of the enclave name')
  return report
}

/** Explains a policy file, without its first member, which says that it is one. */
export async function inspectPolicy({ format: _, ...json }: Record<string, unknown>): Promise<Report> {
  const report = newReport('policy', 'a policy: what a verifier demands')
  const policy = await attempt(report, 'policy', () => parsePolicy(json))
  if (policy === undefined) return report
  report.title = `the policy "${policy.name}"`
  addSection(
    report,
    'demands',
    policyInWords(policy).map((line) => row(line[0], line[1])),
  )
  report.signatures.push('the policy: by nobody; whoever judges by it chose it')
  return report
}

/** Explains a file of expected measurements. */
export async function inspectMeasurements(text: string): Promise<Report> {
  const report = newReport('measurements', 'expected measurements of a release')
  const file = await attempt(report, 'measurements', () => parseMeasurements(utf8(text)))
  if (file === undefined) return report
  report.title = `expected measurements of "${file.name}"`
  for (const { name, mrTd, rtmr } of file.sets)
    addSection(report, name, [
      row('MRTD', mrTd),
      ...rtmr.map((value, i) => row(`RTMR${i}`, value ?? 'any', value === null ? 'not compared' : undefined)),
    ])
  report.signatures.push('the file: by nobody; compare its digest with one that you trust')
  return report
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}
