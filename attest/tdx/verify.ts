/** Judges a TDX quote with its collateral: Intel's algorithm (reference order 3.1 to 3.11) as named factors. */

import { sha256 } from '@noble/hashes/sha2.js'
import { concat, equalBytes, toHex } from '../bytes.ts'
import { ChrysalisError } from '../errors.ts'
import { type Factor, Factors, QUOTE_FACTORS } from '../policy/factors.ts'
import type { Policy } from '../policy/policy.ts'
import { type Certificate, verifyP256 } from '../x509/index.ts'
import {
  type Anchor,
  type AnchorKind,
  checkCollateralSigned,
  checkFresh,
  checkPckChain,
  checkRevocation,
  evaluationNumber,
  type PckChain,
  pckChain,
  windows,
} from './chains.ts'
import { type Collateral, collateralSchema, type ParsedCollateral, parseCollateral } from './collateral.ts'
import { type PckPlatform, readPckPlatform } from './pck.ts'
import { isZero, parseQuote, type Quote, QuoteError, type TdBody } from './quote.ts'
import { checkModule, checkQe, type Level, tcbLevel } from './tcb.ts'
import { attributeBits, xfamAllowed } from './td.ts'

export interface QuoteVerdict {
  factors: Factor[]
  /** Kind of the pinned root that the chain ends in, undefined when it ends in none. */
  anchor: AnchorKind | undefined
  tcbStatus: string | undefined
  advisories: readonly string[]
  quote: Quote | undefined
  platform: PckPlatform | undefined
  evaluationDataNumber: number | undefined
  /** When the first part of the collateral runs out, ms; undefined without collateral. */
  collateralUntil: number | undefined
}

/**
 * Judges quote and collateral under the policy at `now` (ms). Never throws on bad input: what is wrong is a failed
 * factor. `quoteBytes` may carry zero padding.
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

class QuoteJudge {
  readonly #factors = new Factors()
  readonly #policy: Policy
  readonly #now: number
  #quote: Quote | undefined
  #anchor: Anchor | undefined
  #platform: PckPlatform | undefined
  #level: Level | undefined
  #parsed: ParsedCollateral | undefined

  constructor(policy: Policy, now: number) {
    this.#policy = policy
    this.#now = now
  }

  async run(quoteBytes: Uint8Array, collateral: unknown): Promise<void> {
    const format = 'the quote is a well-formed TDX quote'
    const parts = await this.#factors.check('quote.format', format, () => {
      const quote = parseQuote(quoteBytes)
      return { quote, chain: pckChain(quote) }
    })
    const shape = await this.#factors.check('collateral.format', 'the collateral is well-formed', () =>
      readCollateral(collateral),
    )
    if (parts === undefined) return
    const { quote, chain } = parts
    this.#quote = quote
    this.#judgeTd(quote.body)
    this.#judgeAnchor(chain)
    await this.#judgeQuote(quote, chain)
    if (shape === undefined || this.#anchor === undefined) return
    this.#parsed = shape.parsed
    await this.#judgeCollateral(shape.collateral, shape.parsed, chain)
    await this.#judgeTcb(quote, chain, shape.parsed)
  }

  verdict(): QuoteVerdict {
    const parsed = this.#parsed
    return {
      factors: this.#factors.list(QUOTE_FACTORS.filter((name) => name !== 'anchor.kind')),
      anchor: this.#anchor?.kind,
      tcbStatus: this.#level?.status,
      advisories: this.#level?.advisories ?? [],
      quote: this.#quote,
      platform: this.#platform,
      evaluationDataNumber: parsed && evaluationNumber(parsed),
      collateralUntil: parsed && Math.min(...windows(parsed).map(({ until }) => until)),
    }
  }

  #judgeAnchor(chain: PckChain): void {
    const digest = toHex(sha256(chain.root.der))
    const pinned = this.#policy.roots.find(({ sha256: pin }) => pin === digest)
    const good = `the chain ends in the pinned root ${digest.slice(0, 16)}…`
    const bad = `the chain ends in root ${digest.slice(0, 16)}…, which the policy does not pin`
    this.#factors.expect('anchor.pinned', pinned !== undefined, good, bad)
    if (pinned !== undefined) this.#anchor = { kind: pinned.kind, der: chain.root.der }
  }

  /** Steps 3.2, 3.7 and 3.8: everything that needs the quote alone. */
  async #judgeQuote(quote: Quote, chain: PckChain): Promise<void> {
    const anchor = this.#anchor
    if (anchor !== undefined) {
      await this.#factors.check('pck.chain', 'the PCK chain is valid', () =>
        checkPckChain(chain, anchor.kind, this.#now),
      )
    }
    await this.#factors.check(
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
  }

  /** Steps 3.3 to 3.5. */
  async #judgeCollateral(collateral: Collateral, parsed: ParsedCollateral, chain: PckChain): Promise<void> {
    const anchor = this.#anchor
    if (anchor === undefined) return
    await this.#factors.check(
      'collateral.signature',
      'both documents and both lists are signed under the anchor',
      () => checkCollateralSigned(collateral, parsed, chain, anchor, this.#now),
    )
    await this.#factors.check('pck.revocation', 'no certificate used is revoked', () =>
      checkRevocation(parsed, chain),
    )
    await this.#factors.check('collateral.fresh', 'the collateral is in date', () =>
      checkFresh(parsed, this.#now),
    )
    const floor = this.#policy.evaluationFloor
    const number = evaluationNumber(parsed)
    if (floor === undefined) {
      this.#factors.set('tcb.evaluation-floor', 'skip', 'the policy sets no floor')
    } else {
      const good = `TCB evaluation number ${number}`
      this.#factors.expect(
        'tcb.evaluation-floor',
        number >= floor,
        good,
        `${good} is below the floor ${floor}`,
      )
    }
  }

  /** Steps 3.6, 3.7 (identity), 3.9 to 3.12. */
  async #judgeTcb(quote: Quote, chain: PckChain, { tcbInfo, qeIdentity }: ParsedCollateral): Promise<void> {
    const platform = await this.#factors.check('platform.match', 'the TCB info is for this platform', () => {
      const found = readPckPlatform(chain.leaf)
      if (found.fmspc !== toHex(tcbInfo.fmspc)) throw new QuoteError(`TCB info: not for FMSPC ${found.fmspc}`)
      if (found.pceId !== toHex(tcbInfo.pceId)) throw new QuoteError(`TCB info: not for PCEID ${found.pceId}`)
      return found
    })
    await this.#factors.check('qe.identity', 'the quoting enclave is the expected one', () =>
      checkQe(qeIdentity, quote.qeReport),
    )
    await this.#factors.check('seam.signer', 'the TDX module is the expected one', () =>
      checkModule(tcbInfo, quote.body),
    )
    if (platform === undefined) return
    this.#platform = platform
    await this.#factors.check('tcb.status', 'the platform is up to date or allowed by name', () => {
      const level = tcbLevel(tcbInfo, qeIdentity, platform, quote)
      this.#level = level
      checkLevel(level, this.#policy)
    })
  }

  /** Step 3.15: what Intel leaves to the caller. */
  #judgeTd(body: TdBody): void {
    const attributes = attributeBits(body.tdAttributes)
    const expect = this.#factors.expect.bind(this.#factors)
    expect(
      'td.debug',
      !attributes.debug,
      'no debug bit is set',
      'a debug or profiling bit is set: the TD can be read',
    )
    expect(
      'td.migratable',
      !attributes.migratable,
      'not migratable',
      'the TD can be migrated by an unverified service',
    )
    expect(
      'td.attributes',
      attributes.septVeDisable && !attributes.unknown,
      'SEPT_VE_DISABLE is set and no unknown bit',
      `TD attributes ${toHex(body.tdAttributes)} lack SEPT_VE_DISABLE or set an unknown bit`,
    )
    expect(
      'td.xfam',
      xfamAllowed(body.xfam),
      'only known features',
      `XFAM ${toHex(body.xfam)} is not allowed`,
    )
    const service = body.mrServiceTd
    if (service === undefined) this.#factors.set('td.service', 'not-applicable', 'TD 1.0 has no service TD')
    else
      expect('td.service', isZero(service), 'no service TD is bound', 'a service TD is bound (MRSERVICETD)')
    this.#judgeMeasurements(body)
  }

  #judgeMeasurements(body: TdBody): void {
    const { measurements } = this.#policy
    if (measurements === undefined) {
      this.#factors.set('measurement.allowed', 'skip', 'the policy pins no measurements')
      return
    }
    const found = measurements.some(
      ({ mrTd, rtmr }) =>
        mrTd === toHex(body.mrTd) &&
        rtmr.every((pin, i) => pin === null || pin === toHex(body.rtmr[i] as Uint8Array)),
    )
    this.#factors.expect(
      'measurement.allowed',
      found,
      'the measurements are pinned',
      'the measurements are not pinned',
    )
  }
}

function readCollateral(input: unknown): { collateral: Collateral; parsed: ParsedCollateral } {
  if (input === undefined) throw new ChrysalisError('ERR_COLLATERAL', 'there is no collateral')
  const shape = collateralSchema.safeParse(input)
  if (!shape.success) {
    const [issue] = shape.error.issues
    throw new ChrysalisError('ERR_COLLATERAL', `collateral: ${issue?.path.join('.')}: ${issue?.message}`)
  }
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

function checkLevel({ status, advisories }: Level, policy: Policy): void {
  if (status === 'UpToDate') return
  const allowed = policy.tcb
  const named =
    allowed?.statuses.includes(status) && advisories.every((id) => allowed.advisories.includes(id))
  if (status === 'Revoked' || !named) {
    const list = advisories.length > 0 ? ` (${advisories.join(', ')})` : ''
    throw new QuoteError(`TCB status is ${status}${list}`)
  }
}
