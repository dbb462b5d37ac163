/** Issues the simulated platform's collateral: TCB info v3, QE identity v2 and both CRLs, in the nine-key shape. */

import { type KeyObject, sign } from 'node:crypto'
import { toHex, utf8 } from '../bytes.ts'
import type { Collateral } from '../tdx/collateral.ts'
import { encodePem } from '../x509/index.ts'
import { makeCrl } from './certificates.ts'
import { NAMES, PLATFORM, type Platform } from './platform.ts'
import { QE } from './quote.ts'

/** How long collateral is valid, ms: as Intel's. */
export const COLLATERAL_LIFETIME = 30 * 86_400_000

export interface CollateralSpec {
  /** ms; whole seconds are used */ issuedAt: number
  /** ms */ lifetime?: number
  platformStatus?: string
  moduleStatus?: string
  qeStatus?: string
  advisories?: readonly string[]
  fmspc?: Uint8Array
  pceId?: Uint8Array
  evaluationNumber?: number
  /** INTEGER contents of serials on each list. */
  rootRevoked?: readonly Uint8Array[]
  pckRevoked?: readonly Uint8Array[]
  /** A minimum that the platform does not reach, so that no level matches. */
  unreachable?: boolean
}

/** Issues collateral. The spec's optional fields exist to make evidence that must be refused. */
export function makeCollateral(platform: Platform, spec: CollateralSpec): Collateral {
  const from = Math.floor(spec.issuedAt / 1000) * 1000
  const until = from + (spec.lifetime ?? COLLATERAL_LIFETIME)
  const { root, ca, tcb } = platform.certificates
  const signers = encodePem([tcb, root])
  const tcbInfo = JSON.stringify(tcbInfoOf(spec, isoTime(from), isoTime(until)))
  const qeIdentity = JSON.stringify(qeIdentityOf(spec, isoTime(from), isoTime(until)))
  const crl = (role: 'root' | 'ca', revoked: readonly Uint8Array[] = []): string =>
    toHex(
      makeCrl({
        issuer: NAMES[role],
        issuerKey: platform.keys[role],
        thisUpdate: from,
        nextUpdate: until,
        revoked,
      }),
    )
  return {
    pck_crl_issuer_chain: encodePem([ca, root]),
    root_ca_crl: crl('root', spec.rootRevoked),
    pck_crl: crl('ca', spec.pckRevoked),
    tcb_info_issuer_chain: signers,
    tcb_info: tcbInfo,
    tcb_info_signature: signText(tcbInfo, platform.keys.tcb),
    qe_identity_issuer_chain: signers,
    qe_identity: qeIdentity,
    qe_identity_signature: signText(qeIdentity, platform.keys.tcb),
  }
}

function tcbInfoOf(spec: CollateralSpec, issueDate: string, nextUpdate: string): object {
  const module = {
    mrsigner: '0'.repeat(96),
    attributes: '0'.repeat(16),
    attributesMask: 'F'.repeat(16),
  }
  const moduleLevel = level(spec.moduleStatus, spec, { isvsvn: 7 })
  const sgxtcbcomponents = [...PLATFORM.components].map((svn, i) => ({
    svn: spec.unreachable && i === 0 ? svn + 1 : svn,
  }))
  const tdxtcbcomponents = [7, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0].map((svn) => ({ svn }))
  const tcb = { sgxtcbcomponents, pcesvn: PLATFORM.pceSvn, tdxtcbcomponents }
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
    tcbLevels: [level(spec.platformStatus, spec, tcb)],
  }
}

function qeIdentityOf(spec: CollateralSpec, issueDate: string, nextUpdate: string): object {
  return {
    id: 'TD_QE',
    version: 2,
    issueDate,
    nextUpdate,
    tcbEvaluationDataNumber: spec.evaluationNumber ?? 1,
    miscselect: '00000000',
    miscselectMask: 'FFFFFFFF',
    attributes: '11000000000000000000000000000000',
    attributesMask: 'FBFFFFFFFFFFFFFF0000000000000000',
    mrsigner: toHex(QE.mrSigner).toUpperCase(),
    isvprodid: QE.isvProdId,
    tcbLevels: [level(spec.qeStatus, spec, { isvsvn: QE.isvSvn })],
  }
}

function level(status: string | undefined, { advisories = [] }: CollateralSpec, tcb: object): object {
  const tcbStatus = status ?? 'UpToDate'
  const listed = tcbStatus !== 'UpToDate' && advisories.length > 0
  return { tcb, tcbDate: '2026-01-01T00:00:00Z', tcbStatus, ...(listed ? { advisoryIDs: advisories } : {}) }
}

function isoTime(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

function signText(text: string, key: KeyObject): string {
  return toHex(sign('sha256', utf8(text), { key, dsaEncoding: 'ieee-p1363' }))
}
