/** Judges an evidence bundle: quote and collateral, then what binds the claims to them, then the policy. */

import { equalBytes, fromBase64, toHex } from '../bytes.ts'
import { accepted, BUNDLE_FACTORS, type Factor, Factors, QUOTE_FACTORS } from '../policy/factors.ts'
import { type Policy, parsePolicy } from '../policy/policy.ts'
import { type QuoteVerdict, verifyQuote } from '../tdx/verify.ts'
import { type OpenedBundle, openBundle, reportData } from './bundle.ts'
import { type Claims, claimsDigest, epochId, parseClaims } from './claims.ts'

/** An epoch key lives at most this long, ms. */
export const MAX_EPOCH = 600_000
const DEFAULT_SKEW = 5_000

/** What the quote says, in hex, for people and logs. */
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
  /** Hex. */
  claimsDigest?: string
  fields: VerdictFields
}

export interface VerifyOptions {
  policy: Policy
  /** Wall clock, ms. */
  now: () => number
  /** The 32 bytes that this verifier chose. Required for the freshness `caller-nonce`. */
  nonce?: Uint8Array
}

/**
 * Judges evidence. Never throws on bad evidence: it refuses, and the failed factors say why. Throws ChrysalisError
 * ERR_POLICY for a policy that is itself malformed.
 */
export async function verifyEvidence(bundle: unknown, options: VerifyOptions): Promise<Verdict> {
  const policy = parsePolicy(options.policy)
  const now = options.now()
  const factors = new Factors()
  const opened = await factors.check('bundle.format', 'the bundle is well-formed', () => openBundle(bundle))
  if (opened === undefined) return refusal(factors, policy)
  const quote = await verifyQuote(opened.quote, opened.collateral, { policy, now })
  const claims = await factors.check('claims.format', 'the claims are well-formed', () =>
    parseClaims(opened.claims),
  )
  judgeAnchorKind(factors, opened, quote)
  judgeFreshness(factors, opened, policy, options.nonce)
  judgeUnsupported(factors, opened)
  if (claims !== undefined) {
    judgeBinding(factors, opened, claims, quote)
    judgeClaims(factors, claims, policy, now)
  }
  return conclude(factors, opened, claims, quote, policy)
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

function judgeAnchorKind(factors: Factors, { tee }: OpenedBundle, { anchor }: QuoteVerdict): void {
  if (anchor === undefined) return
  const kind = anchor === 'intel' ? 'tdx' : 'simulated-tdx'
  const bad = `the bundle calls itself ${tee}, but its root vouches for ${kind}`
  factors.expect('anchor.kind', tee === kind, `the root vouches for ${kind}`, bad)
}

function judgeFreshness(
  factors: Factors,
  opened: OpenedBundle,
  policy: Policy,
  nonce: Uint8Array | undefined,
): void {
  if (nonce !== undefined) {
    const same = nonce.length === 32 && equalBytes(nonce, opened.nonce)
    const bad = 'made for another nonce: old or replayed evidence'
    factors.expect('evidence.freshness', same, 'caller-nonce: made for the nonce of this verifier', bad)
    return
  }
  const none = policy.freshness.includes('none')
  factors.expect(
    'evidence.freshness',
    none,
    'none: the policy asks for no nonce',
    'the policy asks for a nonce, and none was given',
  )
}

/** Evidence that this version cannot judge yet is never passed over in silence. */
function judgeUnsupported(factors: Factors, opened: OpenedBundle): void {
  if (opened.eventLog === undefined) factors.set('eventlog.replay', 'skip', 'there is no event log')
  else factors.set('eventlog.replay', 'fail', 'event logs are not judged by this version')
  factors.set('registry.allowed', 'skip', 'registry snapshots are not judged by this version')
}

function judgeBinding(factors: Factors, opened: OpenedBundle, claims: Claims, { quote }: QuoteVerdict): void {
  const gpuNames = ['gpu.signature', 'gpu.nonce', 'gpu.rim', 'gpu.complete', 'gpu.devtools'] as const
  const bare = claims.accelerators.length === 0
  for (const name of gpuNames) {
    if (bare && opened.gpu === undefined) factors.set(name, 'not-applicable', 'no accelerator is claimed')
    else if (bare) factors.set(name, 'fail', 'GPU evidence without a claimed accelerator')
    else if (opened.gpu === undefined)
      factors.set(name, 'fail', 'an accelerator is claimed without GPU evidence')
    else factors.set(name, 'fail', 'GPU evidence is not judged by this version')
  }
  if (quote === undefined) return
  const expected = reportData({
    nonce: opened.nonce,
    claimsDigest: claimsDigest(opened.claims),
    gpu: opened.gpu,
  })
  factors.expect(
    'reportdata.binding',
    equalBytes(expected, quote.body.reportData),
    'the quote binds nonce, claims and epoch key',
    'the quote was made for other claims or another nonce',
  )
}

function judgeClaims(factors: Factors, claims: Claims, policy: Policy, now: number): void {
  const role = policy.roles.includes(claims.role)
  factors.expect('role.expected', role, `role ${claims.role}`, `role ${claims.role} is not expected here`)
  const epoch = epochProblem(claims.epoch, now, policy.clockSkewMs ?? DEFAULT_SKEW)
  factors.expect('epoch.valid', epoch === undefined, 'the epoch is current', epoch ?? '')
  judgeModels(factors, claims, policy)
  judgeRegistry(factors, claims, policy)
  if (claims.models.length === 0) {
    factors.set('sidechannel.token-access', 'not-applicable', 'no model is served')
  } else if (claims.embedding === 'gpu') {
    factors.set('sidechannel.token-access', 'pass', 'the embedding table lies on the GPU')
  } else {
    const reason = 'the embedding table lies in guest memory: page traces of a hostile host can name tokens'
    factors.set('sidechannel.token-access', 'skip', reason)
  }
}

function epochProblem(epoch: Claims['epoch'], now: number, skew: number): string | undefined {
  if (toHex(epochId(fromBase64(epoch.publicKey))) !== epoch.id)
    return 'the epoch id is not the digest of its key'
  if (epoch.notAfter <= epoch.notBefore) return 'the epoch ends before it begins'
  if (epoch.notAfter - epoch.notBefore > MAX_EPOCH) return `the epoch is longer than ${MAX_EPOCH / 1000} s`
  if (now >= epoch.notAfter) return 'the epoch is over: ask for new evidence'
  if (now < epoch.notBefore - skew) return 'the epoch has not begun: compare the clocks'
  return undefined
}

function judgeModels(factors: Factors, { models }: Claims, policy: Policy): void {
  if (models.length === 0) {
    factors.set('model.allowed', 'not-applicable', 'no model is served')
    return
  }
  const allowed = policy.models
  if (allowed === undefined) {
    factors.set('model.allowed', 'skip', 'the policy pins no models')
    return
  }
  const bad = models.find(({ id, sha256 }) => !(Object.hasOwn(allowed, id) && allowed[id]?.includes(sha256)))
  const reason = `model ${JSON.stringify(bad?.id ?? '')} has a digest that the policy does not allow`
  factors.expect('model.allowed', bad === undefined, 'every model digest is allowed', reason)
}

function judgeRegistry(factors: Factors, { registry }: Claims, policy: Policy): void {
  const pinned = policy.registry
  if (pinned === undefined) {
    factors.set('registry.expected', 'skip', 'the policy pins no registry')
    return
  }
  const same = pinned.globalId === registry.globalId && pinned.address === registry.address
  factors.expect('registry.expected', same, 'the expected registry', 'the enclave follows another registry')
}

function refusal(factors: Factors, { skip }: Policy): Verdict {
  return {
    verdict: 'refuse',
    tee: 'none',
    advisories: [],
    factors: factors.list([...BUNDLE_FACTORS, ...QUOTE_FACTORS]),
    maySkip: skip,
    fields: {},
  }
}

function conclude(
  own: Factors,
  opened: OpenedBundle,
  claims: Claims | undefined,
  quote: QuoteVerdict,
  policy: Policy,
): Verdict {
  const factors = [...own.list([...BUNDLE_FACTORS, 'anchor.kind']), ...quote.factors]
  const ok = accepted(factors, policy.skip) && claims !== undefined
  const tee = quote.anchor === undefined ? 'none' : quote.anchor === 'intel' ? 'tdx' : 'simulated-tdx'
  return {
    verdict: ok ? 'accept' : 'refuse',
    tee,
    ...(quote.tcbStatus === undefined ? {} : { tcbStatus: quote.tcbStatus }),
    advisories: quote.advisories,
    factors,
    maySkip: policy.skip,
    ...(ok ? { claims, claimsBytes: opened.claims } : {}),
    claimsDigest: toHex(claimsDigest(opened.claims)),
    fields: fieldsOf(quote),
  }
}

function fieldsOf({ quote, platform, evaluationDataNumber, collateralUntil }: QuoteVerdict): VerdictFields {
  if (quote === undefined) return {}
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
