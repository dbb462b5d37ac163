/** Issues the simulated platform's collateral: TCB info v3, QE identity v2 and both CRLs, in the nine-key shape. */

import { type KeyObject, sign } from 'node:crypto'
import { toHex, utf8 } from '../bytes.ts'
import type { Collateral } from '../tdx/collateral.ts'
import { encodePem } from '../x509/index.ts'
import { type CrlSpec, makeCrl } from './certificates.ts'
import { NAMES, PLATFORM, type Platform } from './platform.ts'
import { QE, TEE_TCB_SVN } from './quote.ts'

/** How long collateral is valid, ms: as Intel's. */
export const COLLATERAL_LIFETIME = 30 * 86_400_000

export interface CollateralSpec {
  /** ms; whole seconds are used */ issuedAt: number
  /** ms */ lifetime?: number
  /** Status of the level that this platform, module or quoting enclave reaches; UpToDate when absent. */
  platformStatus?: string
  moduleStatus?: string
  qeStatus?: string
  /** What each of these levels lists when its status is not UpToDate. */
  advisories?: readonly string[]
  moduleAdvisories?: readonly string[]
  qeAdvisories?: readonly string[]
  /** A minimum that the platform does not reach, so that no level matches. */
  unreachable?: boolean
  fmspc?: Uint8Array
  pceId?: Uint8Array
  /** Of both documents, or of one. */
  evaluationNumber?: number
  qeEvaluationNumber?: number
  /** INTEGER contents of serials on each list. */
  rootRevoked?: readonly Uint8Array[]
  pckRevoked?: readonly Uint8Array[]
  /** Anything else about a list: who signs it, under which name, when. */
  rootCrl?: Partial<CrlSpec>
  pckCrl?: Partial<CrlSpec>
  /** Changes to the documents before they are signed. */
  editTcbInfo?: (json: TcbInfoJson) => void
  editQeIdentity?: (json: QeIdentityJson) => void
  /** A key other than the TCB signer's for both documents. */
  signingKey?: KeyObject
}

interface LevelJson {
  tcb: object
  tcbDate: string
  tcbStatus: string
  advisoryIDs?: readonly string[]
}

interface ModuleJson {
  mrsigner: string
  attributes: string
  attributesMask: string
}

interface DocumentJson {
  id: string
  version: number
  issueDate: string
  nextUpdate: string
  tcbEvaluationDataNumber: number
  tcbLevels: LevelJson[]
}

interface TcbInfoJson extends DocumentJson {
  fmspc: string
  pceId: string
  tcbType: number
  tdxModule: ModuleJson
  tdxModuleIdentities: (ModuleJson & { id: string; tcbLevels: LevelJson[] })[]
}

interface QeIdentityJson extends DocumentJson {
  miscselect: string
  miscselectMask: string
  attributes: string
  attributesMask: string
  mrsigner: string
  isvprodid: number
}

/** Issues collateral. The spec's optional fields exist to make evidence that must be refused. */
export function makeCollateral(platform: Platform, spec: CollateralSpec): Collateral {
  const from = Math.floor(spec.issuedAt / 1000) * 1000
  const until = from + (spec.lifetime ?? COLLATERAL_LIFETIME)
  const { root, ca, tcb } = platform.certificates
  const { keys } = platform
  const signers = encodePem([tcb, root])
  const tcbInfo = tcbInfoOf(spec, isoTime(from), isoTime(until))
  spec.editTcbInfo?.(tcbInfo)
  const qeIdentity = qeIdentityOf(spec, isoTime(from), isoTime(until))
  spec.editQeIdentity?.(qeIdentity)
  const texts = { tcbInfo: JSON.stringify(tcbInfo), qeIdentity: JSON.stringify(qeIdentity) }
  const crl = (role: 'root' | 'ca', changes: Partial<CrlSpec> = {}): string =>
    toHex(
      makeCrl({
        issuer: NAMES[role],
        issuerKey: keys[role],
        thisUpdate: from,
        nextUpdate: until,
        revoked: (role === 'root' ? spec.rootRevoked : spec.pckRevoked) ?? [],
        ...changes,
      }),
    )
  const signingKey = spec.signingKey ?? keys.tcb
  return {
    pck_crl_issuer_chain: encodePem([ca, root]),
    root_ca_crl: crl('root', spec.rootCrl),
    pck_crl: crl('ca', spec.pckCrl),
    tcb_info_issuer_chain: signers,
    tcb_info: texts.tcbInfo,
    tcb_info_signature: signText(texts.tcbInfo, signingKey),
    qe_identity_issuer_chain: signers,
    qe_identity: texts.qeIdentity,
    qe_identity_signature: signText(texts.qeIdentity, signingKey),
  }
}

/** Sixteen TDX components of the simulated platform's level: those of TEE_TCB_SVN but the module's major version. */
const TDX_COMPONENTS = TEE_TCB_SVN.with(1, 0)

function tcbInfoOf(spec: CollateralSpec, issueDate: string, nextUpdate: string): TcbInfoJson {
  const module = {
    mrsigner: '0'.repeat(96),
    attributes: '0'.repeat(16),
    attributesMask: 'F'.repeat(16),
  }
  const moduleLevel = level(
    { isvsvn: TEE_TCB_SVN[0] ?? 0 },
    spec.moduleStatus,
    spec.moduleAdvisories ?? spec.advisories,
  )
  const sgx = spec.unreachable ? PLATFORM.components.with(0, 255) : PLATFORM.components
  return {
    id: 'TDX',
    version: 3,
    issueDate,
    nextUpdate,
    fmspc: toHex(spec.fmspc ?? PLATFORM.fmspc).toUpperCase(),
    pceId: toHex(spec.pceId ?? PLATFORM.pceId).toUpperCase(),
    tcbType: 0,
    tcbEvaluationDataNumber: spec.evaluationNumber ?? 1,
    tdxModule: module,
    tdxModuleIdentities: [{ id: 'TDX_01', ...module, tcbLevels: [moduleLevel] }],
    tcbLevels: [platformLevel({ sgx }, spec.platformStatus, spec.advisories)],
  }
}

/** A platform level; what is not given is what the simulated platform has. */
export function platformLevel(
  tcb: { sgx?: Uint8Array; tdx?: Uint8Array; pceSvn?: number },
  status?: string,
  advisories?: readonly string[],
): LevelJson {
  const svns = (bytes: Uint8Array): { svn: number }[] => [...bytes].map((svn) => ({ svn }))
  const { sgx = PLATFORM.components, tdx = TDX_COMPONENTS, pceSvn = PLATFORM.pceSvn } = tcb
  return level(
    { sgxtcbcomponents: svns(sgx), pcesvn: pceSvn, tdxtcbcomponents: svns(tdx) },
    status,
    advisories,
  )
}

function qeIdentityOf(spec: CollateralSpec, issueDate: string, nextUpdate: string): QeIdentityJson {
  return {
    id: 'TD_QE',
    version: 2,
    issueDate,
    nextUpdate,
    tcbEvaluationDataNumber: spec.qeEvaluationNumber ?? spec.evaluationNumber ?? 1,
    miscselect: '00000000',
    miscselectMask: 'FFFFFFFF',
    attributes: '11000000000000000000000000000000',
    attributesMask: 'FBFFFFFFFFFFFFFF0000000000000000',
    mrsigner: toHex(QE.mrSigner).toUpperCase(),
    isvprodid: QE.isvProdId,
    tcbLevels: [level({ isvsvn: QE.isvSvn }, spec.qeStatus, spec.qeAdvisories ?? spec.advisories)],
  }
}

/** One level of a document. */
export function level(tcb: object, status = 'UpToDate', advisories: readonly string[] = []): LevelJson {
  const listed = status !== 'UpToDate' && advisories.length > 0
  return {
    tcb,
    tcbDate: '2026-01-01T00:00:00Z',
    tcbStatus: status,
    ...(listed ? { advisoryIDs: advisories } : {}),
  }
}

function isoTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

function signText(text: string, key: KeyObject): string {
  return toHex(sign('sha256', utf8(text), { key, dsaEncoding: 'ieee-p1363' }))
}
