/** Judges a TDX quote with its collateral: Intel's algorithm (reference order 3.1 to 3.15) as named factors. */

import { sha256 } from '@noble/hashes/sha2.js'
import { concat, equalBytes, toHex } from '../bytes.ts'
import { ChrysalisError } from '../errors.ts'
import { type Factor, type FactorName, Factors, QUOTE_FACTORS } from '../policy/factors.ts'
import type { Policy } from '../policy/policy.ts'
import { firstIssue } from '../schema.ts'
import { type Certificate, verifyP256 } from '../x509/index.ts'
import {
  type Anchor,
  type AnchorKind,
  certificatesUntil,
  checkCaRevocation,
  checkCrlsSigned,
  checkFresh,
  checkPckChain,
  checkPckRevocation,
  checkQeIdentitySigned,
  checkTcbInfoSigned,
  evaluationNumber,
  type PckChain,
  pckChain,
  windows,
} from './chains.ts'
import { type Collateral, collateralSchema, type ParsedCollateral, parseCollateral } from './collateral.ts'
import { evaluationFloor } from './evaluation-floor.ts'
import { judgeIdentity, judgeLevel, judgeMatch, judgeModule, judgeQe } from './judge-tcb.ts'
import { judgeTd } from './judge-td.ts'
import type { PckPlatform } from './pck.ts'
import { parseQuote, type Quote, QuoteError } from './quote.ts'
import type { Level } from './tcb.ts'

export interface QuoteVerdict {
  factors: Factor[]
  /** Kind of the pinned root that the chain ends in, undefined when it ends in none. */
  anchor: AnchorKind | undefined
  /** By documents whose signatures hold; undefined without them. */
  tcbStatus: string | undefined
  advisories: readonly string[]
  quote: Quote | undefined
  platform: PckPlatform | undefined
  evaluationDataNumber: number | undefined
  /** When the first part of the collateral runs out, ms; undefined without collateral. */
  collateralUntil: number | undefined
  /**
   * The last moment (ms) at which all certificates, lists and documents that were used are in date and the same
   * evaluation floor is in force; undefined without collateral.
   */
  validUntil: number | undefined
}

/**
 * Judges quote and collateral under the policy at `now` (ms). Never throws on bad input: what is wrong is a failed
 * factor, and what rests on something unproven is skipped. `quoteBytes` may carry zero padding.
 */
export async function verifyQuote(
  quoteBytes: Uint8Array,
  collateral: unknown,
  { policy, now }: { policy: Policy; now: number },
): Promise<QuoteVerdict> {
  const judge = new QuoteJudge(policy, now)
  await judge.run(quoteBytes, collateral)
  return judge.verdict()
}

/** Which parts the anchor's signatures reach: nothing is concluded from the others. */
interface Proven {
  chain: boolean
  tcbInfo: boolean
  qeIdentity: boolean
  crls: boolean
}

class QuoteJudge {
  readonly #factors = new Factors()
  readonly #policy: Policy
  readonly #now: number
  #quote: Quote | undefined
  #chain: PckChain | undefined
  #anchor: Anchor | undefined
  #platform: PckPlatform | undefined
  #level: Level | undefined
  #parsed: ParsedCollateral | undefined

  constructor(policy: Policy, now: number) {
    this.#policy = policy
    this.#now = now
  }

  async run(quoteBytes: Uint8Array, input: unknown): Promise<void> {
    const format = 'the quote is a well-formed TDX quote'
    const parts = await this.#factors.check('quote.format', format, () => {
      const quote = parseQuote(quoteBytes)
      return { quote, chain: pckChain(quote) }
    })
    const shape = await this.#factors.check('collateral.format', 'the collateral is well-formed', () =>
      readCollateral(input),
    )
    if (parts === undefined) return
    const { quote, chain } = parts
    this.#quote = quote
    this.#chain = chain
    judgeTd(this.#factors, quote.body, this.#policy)
    const anchor = this.#judgeAnchor(chain)
    const signatures = this.#judgeQuote(quote, chain)
    const proven = anchor && this.#prove(anchor, chain, shape)
    await Promise.all([signatures, proven])
    if (shape === undefined || proven === undefined) return
    this.#parsed = shape.parsed
    await this.#judgeCollateral(shape.parsed, chain, await proven)
    await this.#judgeTcb(quote, chain, shape.parsed, await proven)
  }

  verdict(): QuoteVerdict {
    const parsed = this.#parsed
    const until = parsed && Math.min(...windows(parsed).map((window) => window.until))
    return {
      factors: this.#factors.list(QUOTE_FACTORS.filter((name) => name !== 'anchor.kind')),
      anchor: this.#anchor?.kind,
      tcbStatus: this.#level?.status,
      advisories: this.#level?.advisories ?? [],
      quote: this.#quote,
      platform: this.#platform,
      evaluationDataNumber: parsed && evaluationNumber(parsed),
      collateralUntil: until,
      validUntil: until === undefined ? undefined : Math.min(until, this.#certificatesAndFloorUntil()),
    }
  }

  #certificatesAndFloorUntil(): number {
    const { until } = evaluationFloor(this.#policy.evaluationFloor, this.#now) ?? {}
    const dated = until === undefined ? Number.POSITIVE_INFINITY : until - 1
    if (this.#chain === undefined || this.#parsed === undefined) return dated
    return Math.min(dated, certificatesUntil(this.#chain, this.#parsed))
  }

  #judgeAnchor(chain: PckChain): Anchor | undefined {
    const digest = toHex(sha256(chain.root.der))
    const pinned = this.#policy.roots.find(({ sha256: pin }) => pin === digest)
    const good = `the chain ends in the pinned root ${digest.slice(0, 16)}…`
    const bad = `the chain ends in root ${digest.slice(0, 16)}…, which the policy does not pin`
    this.#factors.expect('anchor.pinned', pinned !== undefined, good, bad)
    if (pinned !== undefined) this.#anchor = { kind: pinned.kind, der: chain.root.der }
    return this.#anchor
  }

  /** Steps 3.7 and 3.8: what the quote's own keys sign. */
  async #judgeQuote(quote: Quote, chain: PckChain): Promise<void> {
    const report = this.#factors.check(
      'qe.report',
      'the PCK key signed the QE report, which names the attestation key',
      () => checkQeReport(quote, chain.leaf),
    )
    const key = concat(Uint8Array.of(4), quote.attestationKey)
    const signed = await verifyP256(key, quote.signature, quote.signed)
    this.#factors.expect(
      'quote.signature',
      signed,
      'the attestation key signed the TD report',
      'the quote signature does not verify',
    )
    await report
  }

  /** Steps 3.2 to 3.5: everything that is signed under the anchor. All checks run side by side. */
  async #prove(
    anchor: Anchor,
    chain: PckChain,
    shape: { collateral: Collateral; parsed: ParsedCollateral } | undefined,
  ): Promise<Proven> {
    const check = async (name: FactorName, reason: string, run: () => Promise<void>): Promise<boolean> =>
      (await this.#factors.check(name, reason, () => run().then(() => true))) === true
    const now = this.#now
    const pck = check('pck.chain', 'the PCK chain is valid', () => checkPckChain(chain, anchor.kind, now))
    if (shape === undefined) return { chain: await pck, tcbInfo: false, qeIdentity: false, crls: false }
    const { collateral, parsed } = shape
    const [proven, tcbInfo, qeIdentity, crls] = await Promise.all([
      pck,
      check('tcbinfo.signature', 'the TCB info is signed under the anchor', () =>
        checkTcbInfoSigned(collateral, parsed, anchor, now),
      ),
      check('qeidentity.signature', 'the QE identity is signed under the anchor', () =>
        checkQeIdentitySigned(collateral, parsed, anchor, now),
      ),
      check('crl.signature', 'both revocation lists are signed under the anchor', () =>
        checkCrlsSigned(collateral, parsed, chain, anchor),
      ),
    ])
    return { chain: proven, tcbInfo, qeIdentity, crls }
  }

  /** Dates, revocation and the evaluation floor (steps 3.3 to 3.5 and 3.14). */
  async #judgeCollateral(parsed: ParsedCollateral, chain: PckChain, { crls }: Proven): Promise<void> {
    await this.#factors.check('collateral.fresh', 'the collateral is in date', () =>
      checkFresh(parsed, this.#now),
    )
    this.#judgeFloor(parsed)
    if (!crls) return // A list that nobody signed clears nobody.
    await this.#factors.check('pck.revocation', 'the PCK certificate is not revoked', () =>
      checkPckRevocation(parsed, chain),
    )
    await this.#factors.check('ca.revocation', 'neither the PCK CA nor a TCB signer is revoked', () =>
      checkCaRevocation(parsed, chain),
    )
  }

  #judgeFloor({ tcbInfo, qeIdentity }: ParsedCollateral): void {
    const floor = evaluationFloor(this.#policy.evaluationFloor, this.#now)
    if (floor === undefined) {
      this.#factors.set('tcb.evaluation-floor', 'skip', 'the policy sets no floor')
      return
    }
    const numbers = [tcbInfo, qeIdentity].map((document) => document.tcbEvaluationDataNumber)
    const floors = [floor.tcbInfo, floor.qeIdentity]
    const found = `TCB info ${numbers[0]}, QE identity ${numbers[1]}`
    this.#factors.expect(
      'tcb.evaluation-floor',
      numbers.every((number, i) => number >= (floors[i] ?? 0)),
      `TCB evaluation numbers: ${found}`,
      `TCB evaluation numbers: ${found}, below ${floors[0]} and ${floors[1]}: collateral of an older evaluation`,
    )
  }

  /** Steps 3.6, 3.7 (identity) and 3.9 to 3.13. */
  async #judgeTcb(quote: Quote, chain: PckChain, parsed: ParsedCollateral, proven: Proven): Promise<void> {
    const { tcbInfo, qeIdentity } = parsed
    if (proven.qeIdentity) await judgeQe(this.#factors, qeIdentity, quote, this.#policy)
    if (!proven.tcbInfo) return
    await judgeModule(this.#factors, tcbInfo, quote.body, this.#policy)
    if (!proven.chain) return
    const platform = await judgeMatch(this.#factors, chain.leaf, tcbInfo)
    if (platform === undefined) return
    this.#platform = platform
    judgeIdentity(this.#factors, platform, quote, this.#policy)
    if (!proven.qeIdentity) return
    this.#level = await judgeLevel(this.#factors, { tcbInfo, qeIdentity }, { platform, quote }, this.#policy)
  }
}

function readCollateral(input: unknown): { collateral: Collateral; parsed: ParsedCollateral } {
  if (input === undefined) throw new ChrysalisError('ERR_COLLATERAL', 'there is no collateral')
  const shape = collateralSchema.safeParse(input)
  if (!shape.success) throw new ChrysalisError('ERR_COLLATERAL', `collateral: ${firstIssue(shape.error)}`)
  return { collateral: shape.data, parsed: parseCollateral(shape.data) }
}

async function checkQeReport(quote: Quote, leaf: Certificate): Promise<void> {
  const { raw, reportData } = quote.qeReport
  if (!(await verifyP256(leaf.publicKey, quote.qeReportSignature, raw))) {
    throw new QuoteError('QE report: the signature does not verify')
  }
  const digest = sha256(concat(quote.attestationKey, quote.qeAuthData))
  if (!equalBytes(reportData, concat(digest, new Uint8Array(32)))) {
    throw new QuoteError('QE report: it does not name the attestation key')
  }
}
