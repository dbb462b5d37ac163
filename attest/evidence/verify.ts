/** Judges evidence: quote and collateral, event log, accelerators, then what binds the claims to them, by the policy. */

import { equalBytes, toHex } from '../bytes.ts'
import { type BelievedEvents, judgeEventLog } from '../eventlog/index.ts'
import { type GpuFindings, type GpuTools, judgeGpu } from '../gpu/judge.ts'
import { accepted, FACTORS, type FactorName, Factors, QUOTE_FACTORS } from '../policy/factors.ts'
import { type Policy, parsePolicy } from '../policy/policy.ts'
import { parseRegistryView, pinnedBy, type RegistryView } from '../policy/registry.ts'
import { type QuoteVerdict, verifyQuote } from '../tdx/verify.ts'
import { gpuNonce, type OpenedBundle, openBundle, reportData } from './bundle.ts'
import { type Claims, claimsDigest, parseClaims } from './claims.ts'
import { configurationDigest, judgeClaims, judgeConfiguration } from './judge-claims.ts'
import { type RegistrySubject, registryObjection, registrySubject } from './judge-registry.ts'
import { fieldsOf, type Verdict, type VerdictFields } from './verdict.ts'

export interface VerifyOptions {
  policy: Policy
  /** Wall clock, ms. */
  now: () => number
  /** The 32 bytes that this verifier chose. Required for the freshness `caller-nonce`. */
  nonce?: Uint8Array
  /** Nonces that nobody knew before a moment of the verifier's choice (ids of final masterchain blocks, hashed). */
  beacons?: readonly Uint8Array[]
  /** What the verifier brings along to judge accelerators. */
  gpuTools?: GpuTools
  /**
   * What the registry says that the policy names. Whoever read it answers for its being the newest: neither below a
   * version seen before, nor too old.
   */
  registry?: RegistryView
  /**
   * The moment (ms) at which the epoch has to be current; `now` when absent. For what an enclave did in an epoch that
   * is over since: all else about the evidence is judged as of `now` still.
   */
  epochAt?: (epoch: Claims['epoch']) => number
}

/** Evidence that is not a bundle: files of other systems. At least one of quote and gpu. */
export interface EvidenceParts {
  quote?: Uint8Array
  /** The nine-key object. */
  collateral?: unknown
  eventLog?: Uint8Array
  gpu?: Uint8Array
}

/**
 * Judges a bundle. Never throws on bad evidence: it refuses, and the failed factors say why. Throws ChrysalisError
 * ERR_POLICY for a policy that is itself malformed.
 */
export async function verifyEvidence(bundle: unknown, options: VerifyOptions): Promise<Verdict> {
  const view = options.registry && parseRegistryView(options.registry)
  const own = parsePolicy(options.policy)
  const policy = view ? pinnedBy(own, view) : own
  const now = options.now()
  const factors = new Factors()
  const opened = await factors.check('bundle.format', 'the bundle is well-formed', () => openBundle(bundle))
  if (opened === undefined) return conclude(factors, policy, undefined, { judged: false })
  const claims = await factors.check('claims.format', 'the claims are well-formed', () =>
    parseClaims(opened.claims),
  )
  const quote = await verifyQuote(opened.quote, opened.collateral, { policy, now })
  judgeAnchorKind(factors, opened, quote)
  judgeFreshness(factors, opened, options)
  const digest = claimsDigest(opened.claims)
  judgeBinding(factors, opened, digest, quote)
  const subject = claims && registrySubject(claims, quote)
  judgeRegistry(factors, { opened, view, subject, now }, own)
  if (claims !== undefined) judgeClaims(factors, claims, policy, options.epochAt?.(claims.epoch) ?? now)
  const log = { bytes: opened.eventLog, body: quote.quote?.body, claims }
  const events = judgeEventLog(factors, log, policy)
  judgeConfiguration(factors, events.configuration, policy)
  const nonce = gpuNonce(opened.nonce, digest)
  const { gpuTools: tools = {} } = options
  const accelerators = { bytes: opened.gpu, nonce, claims, anchor: quote.anchor, now, tools }
  const bound = proven(quote) && factors.passed('reportdata.binding')
  const gpu = bound || opened.gpu === undefined ? await judgeGpu(factors, accelerators, policy) : undefined
  const judged = claims !== undefined
  return conclude(factors, policy, quote, {
    ...{ judged, claims, subject, view, bytes: opened.claims, digest, events, gpu },
  })
}

/**
 * Judges files without claims: a bare quote with its collateral, an event log, evidence of accelerators. What only a
 * bundle carries is skipped, so the policy has to forgive that; what is there has to be right. `nonce` may be of 32
 * bytes (either half of REPORTDATA carries it) or 64 (all of REPORTDATA). Never throws on bad evidence.
 */
export async function verifyParts(parts: EvidenceParts, options: VerifyOptions): Promise<Verdict> {
  const policy = parsePolicy(options.policy)
  const now = options.now()
  const factors = new Factors()
  const { nonce, gpuTools: tools = {} } = options
  const bytes = parts.quote
  const quote = bytes && (await verifyQuote(bytes, parts.collateral, { policy, now }))
  if (quote?.anchor !== undefined)
    factors.set('anchor.kind', 'pass', `the root vouches for ${teeOf(quote.anchor)}`)
  factors.set('bundle.format', 'not-applicable', 'files are judged, not a bundle')
  judgePartsNonce(factors, quote, parts, options)
  const body = quote?.quote?.body
  const log = { bytes: parts.eventLog, body, claims: undefined }
  const events = judgeEventLog(factors, log, policy)
  const accelerators = {
    bytes: parts.gpu,
    nonce: nonce?.length === 32 ? nonce : undefined,
    claims: undefined,
  }
  const alone = quote === undefined || proven(quote)
  const gpu = alone
    ? await judgeGpu(factors, { ...accelerators, anchor: quote?.anchor, now, tools }, policy)
    : undefined
  for (const name of FACTORS) {
    const quoted = (QUOTE_FACTORS as readonly FactorName[]).includes(name)
    if (quote === undefined && quoted) factors.set(name, 'skip', 'there is no quote')
    else if (!quoted) factors.set(name, 'skip', 'there are no claims to judge')
  }
  const judged = quote !== undefined || parts.gpu !== undefined
  return conclude(factors, policy, quote, { judged, events, gpu })
}

/**
 * Whether a pinned root signed the quote. GPU evidence is the dearest to judge, and anybody can hand in somebody's: so
 * it is judged behind a quote that is proven and, in a bundle, binds it.
 */
function proven({ factors }: QuoteVerdict): boolean {
  const needed: readonly FactorName[] = ['anchor.pinned', 'pck.chain', 'qe.report', 'quote.signature']
  return factors.every(({ name, result }) => result === 'pass' || !needed.includes(name))
}

function judgeAnchorKind(factors: Factors, { tee }: OpenedBundle, { anchor }: QuoteVerdict): void {
  if (anchor === undefined) return
  const kind = teeOf(anchor)
  const bad = `the bundle calls itself ${tee}, but its root vouches for ${kind}`
  factors.expect('anchor.kind', tee === kind, `the root vouches for ${kind}`, bad)
}

function teeOf(anchor: QuoteVerdict['anchor']): Verdict['tee'] {
  return anchor === undefined ? 'none' : anchor === 'intel' ? 'tdx' : 'simulated-tdx'
}

function judgeFreshness(factors: Factors, opened: OpenedBundle, options: VerifyOptions): void {
  const { nonce, beacons, policy } = options
  const name = 'evidence.freshness'
  if (nonce !== undefined) {
    const same = nonce.length === 32 && equalBytes(nonce, opened.nonce)
    const bad = 'made for another nonce: old or replayed evidence'
    factors.expect(name, same, 'caller-nonce: made for the nonce of this verifier', bad)
  } else if (policy.freshness.includes('none')) {
    factors.set(name, 'pass', 'none: the policy asks for no nonce')
  } else if (policy.freshness.includes('beacon') && beacons !== undefined) {
    const known = beacons.some((beacon) => equalBytes(beacon, opened.nonce))
    const bad = 'the nonce is none of the beacons: old evidence'
    factors.expect(name, known, 'beacon: made after a block that the verifier knows', bad)
  } else {
    factors.set(name, 'fail', 'the policy asks for a nonce, and none was given')
  }
}

function judgePartsNonce(
  factors: Factors,
  quote: QuoteVerdict | undefined,
  { gpu }: EvidenceParts,
  { nonce, policy }: VerifyOptions,
): void {
  const data = quote?.quote?.body.reportData
  const name = 'evidence.freshness'
  if (nonce !== undefined && data !== undefined) {
    const whole = nonce.length === 64 && equalBytes(nonce, data)
    const half = [data.subarray(0, 32), data.subarray(32)].some((part) => equalBytes(part, nonce))
    const bad = 'REPORTDATA does not carry the nonce: old or replayed evidence'
    factors.expect(name, whole || half, 'caller-nonce: REPORTDATA carries it', bad)
  } else if (nonce !== undefined && gpu !== undefined) {
    factors.set(name, 'skip', 'there is no quote: see gpu.nonce')
  } else if (policy.freshness.includes('none')) {
    factors.set(name, 'pass', 'none: the policy asks for no nonce')
  } else {
    factors.set(name, 'fail', 'the policy asks for a nonce, and none was given')
  }
}

interface RegistryMatter {
  opened: OpenedBundle
  view: RegistryView | undefined
  subject: RegistrySubject | undefined
  /** ms */
  now: number
}

/** The registry's word comes from the verifier alone: what a bundle brings of it is never passed over in silence. */
function judgeRegistry(
  factors: Factors,
  { opened: { registrySnapshot }, view, subject, now }: RegistryMatter,
  policy: Policy,
): void {
  const name = 'registry.allowed'
  const pinned = policy.measurements !== undefined && policy.models !== undefined
  if (registrySnapshot !== undefined)
    factors.set(name, 'fail', 'registry snapshots of a bundle are not judged by this version')
  else if (view !== undefined) {
    if (subject === undefined) return
    const objection = registryObjection(view, subject, now)
    const good = `allowed by version ${view.version} of the registry`
    factors.expect(name, objection === undefined, good, objection ?? '')
  } else if (pinned) factors.set(name, 'not-applicable', 'the policy itself pins measurements and models')
  else factors.set(name, 'skip', 'there is no view of the registry')
}

function judgeBinding(
  factors: Factors,
  { nonce, gpu }: OpenedBundle,
  digest: Uint8Array,
  { quote }: QuoteVerdict,
): void {
  if (quote === undefined) return
  const expected = reportData({ nonce, claimsDigest: digest, gpu })
  factors.expect(
    'reportdata.binding',
    equalBytes(expected, quote.body.reportData),
    'the quote binds nonce, claims, epoch key and GPU evidence',
    'the quote was made for other claims, other GPU evidence or another nonce',
  )
}

function configurationOf(events: BelievedEvents | undefined): Partial<VerdictFields> {
  const configuration = events?.configuration
  return configuration === undefined ? {} : { configurationSha256: configurationDigest(configuration) }
}

interface Judged {
  /** Whether there was anything to accept. */
  judged: boolean
  claims?: Claims | undefined
  subject?: RegistrySubject | undefined
  view?: RegistryView | undefined
  bytes?: Uint8Array
  /** Of those bytes. */
  digest?: Uint8Array
  events?: BelievedEvents
  gpu?: GpuFindings | undefined
}

function conclude(
  own: Factors,
  policy: Policy,
  quote: QuoteVerdict | undefined,
  { judged, claims, subject, view, bytes, digest, events, gpu }: Judged,
): Verdict {
  for (const { name, result, reason } of quote?.factors ?? []) own.set(name, result, reason)
  const factors = own.list(FACTORS)
  const ok = judged && accepted(factors, policy.skip)
  return {
    verdict: ok ? 'accept' : 'refuse',
    tee: teeOf(quote?.anchor),
    ...(quote?.tcbStatus === undefined ? {} : { tcbStatus: quote.tcbStatus }),
    advisories: quote?.advisories ?? [],
    factors,
    maySkip: policy.skip,
    ...(ok && claims && bytes ? { claims, claimsBytes: bytes } : {}),
    ...(ok && subject && { subject }),
    ...(ok && events && events.events.length > 0 ? { measured: events } : {}),
    ...(digest && { claimsDigest: toHex(digest) }),
    fields: { ...until(fieldsOf(quote, gpu), view), ...configurationOf(events) },
  }
}

/** A verdict that rests on a view of a registry is true no longer than that. */
function until(fields: VerdictFields, view: RegistryView | undefined): VerdictFields {
  if (view === undefined || fields.validUntil === undefined) return fields
  return { ...fields, validUntil: Math.min(fields.validUntil, view.expiresAt * 1000 - 1) }
}
