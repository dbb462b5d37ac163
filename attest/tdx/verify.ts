/** Judges a TDX quote with its collateral: Intel's algorithm (reference order 3.1 to 3.11) as named factors. */

import { sha256 } from '@noble/hashes/sha2.js'
import { concat, equalBytes, toHex } from '../bytes.ts'
import { ChrysalisError } from '../errors.ts'
import { type Factor, Factors, QUOTE_FACTORS } from '../policy/factors.ts'
import type { MeasurementSet, Policy } from '../policy/policy.ts'
import { type Certificate, verifyP256 } from '../x509/index.ts'
import {
  type Anchor,
  type AnchorKind,
  checkCaRevocation,
  checkCrlsSigned,
  checkDocumentSigned,
  checkFresh,
  checkPckChain,
  checkPckRevocation,
  evaluationNumber,
  type PckChain,
  pckChain,
  windows,
} from './chains.ts'
import { type Collateral, collateralSchema, type ParsedCollateral, parseCollateral } from './collateral.ts'
import { evaluationFloor } from './evaluation-floor.ts'
import { type PckPlatform, readPckPlatform } from './pck.ts'
import { isZero, parseQuote, type Quote, QuoteError, type TdBody } from './quote.ts'
import {
  checkModuleAttributes,
  checkModuleSigner,
  checkQe,
  type Level,
  moduleIdentity,
  qeStatus,
  type TcbInfo,
  type TcbStatus,
  tcbLevel,
} from './tcb.ts'
import { attributeBits, xfamAllowed } from './td.ts'

const NO_REGISTER = '0'.repeat(96)

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
    const { tcbInfo, tcbChain, qeIdentity, qeChain } = parsed
    await this.#factors.check('tcbinfo.signature', 'the TCB info is signed under the anchor', () =>
      checkDocumentSigned(
        tcbInfo,
        tcbChain,
        collateral.tcb_info,
        collateral.tcb_info_signature,
        anchor,
        this.#now,
      ),
    )
    await this.#factors.check('qeidentity.signature', 'the QE identity is signed under the anchor', () =>
      checkDocumentSigned(
        qeIdentity,
        qeChain,
        collateral.qe_identity,
        collateral.qe_identity_signature,
        anchor,
        this.#now,
      ),
    )
    await this.#factors.check('crl.signature', 'both revocation lists are signed under the anchor', () =>
      checkCrlsSigned(collateral, parsed, chain, anchor),
    )
    await this.#factors.check('pck.revocation', 'the PCK certificate is not revoked', () =>
      checkPckRevocation(parsed, chain),
    )
    await this.#factors.check('ca.revocation', 'neither the PCK CA nor a TCB signer is revoked', () =>
      checkCaRevocation(parsed, chain),
    )
    await this.#factors.check('collateral.fresh', 'the collateral is in date', () =>
      checkFresh(parsed, this.#now),
    )
    const floor = evaluationFloor(this.#policy.evaluationFloor, this.#now)
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
    await this.#judgeModule(tcbInfo, quote.body)
    await this.#factors.check('qe.tcb', 'the quoting enclave is up to date or allowed by name', () =>
      checkStatus(qeStatus(qeIdentity, quote.qeReport), this.#policy),
    )
    if (platform === undefined) return
    this.#platform = platform
    this.#judgePlatform(platform, quote)
    await this.#factors.check('tcb.status', 'the platform is up to date or allowed by name', () => {
      const level = tcbLevel(tcbInfo, qeIdentity, platform, quote)
      this.#level = level
      checkStatus(level.status, this.#policy)
    })
    const level = this.#level
    if (level === undefined) return
    await this.#factors.check('tcb.advisories', 'no advisory is open but those that the policy names', () =>
      checkAdvisories(level, this.#policy),
    )
  }

  /** Step 3.9. */
  async #judgeModule(tcbInfo: TcbInfo, body: TdBody): Promise<void> {
    const { modules } = this.#policy
    if (modules !== undefined && !modules.includes(toHex(body.mrSeam))) {
      this.#factors.set('seam.module', 'fail', `the policy does not pin TDX module ${toHex(body.mrSeam)}`)
    }
    const expected = await this.#factors.check(
      'seam.module',
      'the TCB info knows this TDX module',
      () => moduleIdentity(tcbInfo, body) ?? tcbInfo.tdxModule,
    )
    if (expected === undefined) return
    await this.#factors.check('seam.signer', 'the expected key signed the TDX module', () =>
      checkModuleSigner(expected, body),
    )
    await this.#factors.check('seam.attributes', 'the TDX module runs with the expected attributes', () =>
      checkModuleAttributes(expected, body),
    )
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
      'td.sept-ve-disable',
      attributes.septVeDisable,
      'SEPT_VE_DISABLE is set',
      'SEPT_VE_DISABLE is clear: a hostile host can make the guest see changed memory as new',
    )
    expect(
      'td.attributes',
      !attributes.unknown,
      'no unknown attribute is set',
      `TD attributes ${toHex(body.tdAttributes)} set an unknown bit`,
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

  #judgePlatform(platform: PckPlatform, _quote: Quote): void {
    const revoked = this.#policy.revokedPlatforms?.includes(platform.ppid) ?? false
    this.#factors.expect(
      'platform.allowed',
      !revoked,
      'the policy does not refuse this platform',
      `the policy refuses platform ${platform.ppid}`,
    )
  }

  #judgeMeasurements(body: TdBody): void {
    const { measurements } = this.#policy
    if (measurements === undefined) {
      this.#factors.set('measurement.allowed', 'skip', 'the policy pins no measurements')
      this.#factors.set('td.owner', 'skip', 'the policy pins no measurements')
      return
    }
    const registers = (set: MeasurementSet): boolean =>
      set.mrTd === toHex(body.mrTd) &&
      set.rtmr.every((pin, i) => pin === null || pin === toHex(body.rtmr[i] as Uint8Array))
    const owner = (set: Partial<MeasurementSet>): boolean =>
      (set.mrConfigId ?? NO_REGISTER) === toHex(body.mrConfigId) &&
      (set.mrOwner ?? NO_REGISTER) === toHex(body.mrOwner) &&
      (set.mrOwnerConfig ?? NO_REGISTER) === toHex(body.mrOwnerConfig)
    const found = measurements.filter(registers)
    this.#factors.expect(
      'measurement.allowed',
      found.length > 0,
      'the measurements are pinned',
      'the measurements are not pinned',
    )
    this.#factors.expect(
      'td.owner',
      found.length > 0 ? found.some(owner) : owner({}),
      'MRCONFIGID, MROWNER and MROWNERCONFIG are as pinned',
      'MRCONFIGID, MROWNER or MROWNERCONFIG is not as pinned',
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

function checkStatus(status: TcbStatus, { tcb }: Policy): void {
  if (status === 'UpToDate') return
  if (status === 'Revoked' || !tcb?.statuses.includes(status)) throw new QuoteError(`TCB status is ${status}`)
}

function checkAdvisories({ status, advisories }: Level, { tcb }: Policy): void {
  if (status === 'UpToDate') return
  const open = advisories.filter((id) => !tcb?.advisories.includes(id))
  if (open.length > 0) throw new QuoteError(`the policy does not name ${open.join(', ')}`)
}
