/** Cases about collateral: revocation lists, TCB info and QE identity, their signers and their dates. */

import { fromHex } from '../bytes.ts'
import { parseCertificate } from '../x509/index.ts'
import type { CaseContext, CaseSpec, CaseTable } from './case-spec.ts'
import { type CollateralSpec, makeCollateral } from './collateral.ts'
import { NAMES, newKey, PLATFORM, type Role } from './platform.ts'

const DAY = 86_400_000
const HOUR = 3_600_000
const DOCUMENTS = ['tcbinfo.signature', 'qeidentity.signature'] as const

function serial({ platform }: CaseContext, role: Role): Uint8Array {
  return fromHex(parseCertificate(platform.certificates[role]).serial)
}

/** A case of one list that is wrong, root or PCK. */
function crl(
  list: 'rootCrl' | 'pckCrl',
  failed: NonNullable<CaseSpec['failed']>,
  summary: string,
  make: (context: CaseContext) => NonNullable<CollateralSpec['rootCrl']>,
): CaseSpec {
  return { summary, failed, collateral: (context) => ({ [list]: make(context) }) }
}

/** A case in which members of the finished collateral are replaced. */
function replaced(
  failed: NonNullable<CaseSpec['failed']>,
  summary: string,
  make: (own: ReturnType<typeof makeCollateral>, context: CaseContext) => Partial<typeof own>,
): CaseSpec {
  return {
    summary,
    failed,
    bundle: (bundle, context) => {
      const { collateral } = bundle
      return collateral === undefined
        ? bundle
        : { ...bundle, collateral: { ...collateral, ...make(collateral, context) } }
    },
  }
}

const theirs = ({ other, now }: CaseContext) => makeCollateral(other, { issuedAt: now - HOUR })
const notIssuedBy = 'that another key than its issuer signed'

export const COLLATERAL_CASES: CaseTable = {
  'revoked-pck': {
    summary: 'the PCK certificate of the platform is revoked',
    failed: ['pck.revocation'],
    collateral: (context) => ({ pckRevoked: [serial(context, 'leaf')] }),
  },
  'revoked-ca': {
    summary: 'the PCK CA is revoked',
    failed: ['ca.revocation'],
    collateral: (context) => ({ rootRevoked: [serial(context, 'ca')] }),
  },
  'revoked-tcb-signer': {
    summary: 'the signer of TCB info and QE identity is revoked, behind another entry of the list',
    failed: ['ca.revocation'],
    collateral: (context) => ({ rootRevoked: [Uint8Array.of(5), serial(context, 'tcb')] }),
  },
  'good-other-revoked': {
    summary: 'good evidence: certificates of others are revoked',
    collateral: (context) => ({
      pckRevoked: [Uint8Array.of(5), serial(context, 'leaf').slice(0, -1)],
      rootRevoked: [serial(context, 'leaf')],
    }),
  },
  'root-crl-expired': crl('rootCrl', ['collateral.fresh'], 'a root CRL that has expired', ({ now }) => ({
    thisUpdate: now - 40 * DAY,
    nextUpdate: now - HOUR,
  })),
  'root-crl-not-yet-valid': crl('rootCrl', ['collateral.fresh'], 'a root CRL of tomorrow', ({ now }) => ({
    thisUpdate: now + DAY,
    nextUpdate: now + 30 * DAY,
  })),
  'pck-crl-expired': crl('pckCrl', ['collateral.fresh'], 'a PCK CRL that has expired', ({ now }) => ({
    thisUpdate: now - 40 * DAY,
    nextUpdate: now - HOUR,
  })),
  'pck-crl-not-yet-valid': crl('pckCrl', ['collateral.fresh'], 'a PCK CRL of tomorrow', ({ now }) => ({
    thisUpdate: now + DAY,
    nextUpdate: now + 30 * DAY,
  })),
  'root-crl-signature': crl('rootCrl', ['crl.signature'], `a root CRL ${notIssuedBy}`, () => ({
    issuerKey: newKey(),
  })),
  'pck-crl-signature': crl('pckCrl', ['crl.signature'], `a PCK CRL ${notIssuedBy}`, () => ({
    issuerKey: newKey(),
  })),
  'root-crl-issuer': crl('rootCrl', ['crl.signature'], 'the PCK CA’s list as root CRL', ({ platform }) => ({
    issuer: NAMES.ca,
    issuerKey: platform.keys.ca,
  })),
  'pck-crl-issuer': crl('pckCrl', ['crl.signature'], 'the root’s list as PCK CRL', ({ platform }) => ({
    issuer: NAMES.root,
    issuerKey: platform.keys.root,
  })),
  'pck-crl-issuer-name': crl('pckCrl', ['crl.signature'], 'a PCK CRL under the name of another CA', () => ({
    issuer: 'Simulated SGX PCK Processor CA',
  })),
  'pck-crl-other-installation': replaced(
    ['crl.signature'],
    'the PCK CRL of another installation, with its chain',
    (_own, context) => {
      const { pck_crl, pck_crl_issuer_chain } = theirs(context)
      return { pck_crl, pck_crl_issuer_chain }
    },
  ),
  'crl-empty': replaced(['collateral.format'], 'no PCK CRL at all, which some verifiers accept', () => ({
    pck_crl: '',
  })),
  'crl-random': replaced(['collateral.format'], 'random bytes as root CRL', () => ({
    root_ca_crl: '3003020105',
  })),
  'collateral-missing': {
    summary: 'evidence without collateral, and a verifier that has none',
    failed: ['collateral.format'],
    bundle: ({ collateral: _, ...rest }) => rest,
  },
  'collateral-expired': {
    summary: 'collateral of last month',
    failed: ['collateral.fresh'],
    collateral: ({ now }) => ({ issuedAt: now - 31 * DAY }),
  },
  'collateral-not-yet-valid': {
    summary: 'collateral of tomorrow',
    failed: ['collateral.fresh'],
    collateral: ({ now }) => ({ issuedAt: now + DAY }),
  },
  'collateral-other-installation': replaced(
    [...DOCUMENTS, 'crl.signature'],
    'all collateral of another installation',
    (_own, context) => theirs(context),
  ),
  'tcb-info-signature': {
    summary: 'TCB info and QE identity that another key than the TCB signer’s signed',
    failed: DOCUMENTS,
    collateral: () => ({ signingKey: newKey() }),
  },
  'tcb-info-changed': replaced(
    ['tcbinfo.signature'],
    'TCB info in which one version was lowered after signing',
    ({ tcb_info }) => ({ tcb_info: tcb_info.replace('"pcesvn":13', '"pcesvn":12') }),
  ),
  'qe-identity-changed': replaced(
    ['qeidentity.signature'],
    'a QE identity with a space behind it',
    ({ qe_identity }) => ({ qe_identity: `${qe_identity} ` }),
  ),
  'tcb-signer-is-ca': replaced(
    ['tcbinfo.signature'],
    'the PCK CA in the place of the TCB signer',
    ({ pck_crl_issuer_chain }) => ({ tcb_info_issuer_chain: pck_crl_issuer_chain }),
  ),
  'tcb-signer-expired': {
    summary: 'a TCB signer that has expired',
    failed: DOCUMENTS,
    certificates: (now) => ({ tcb: { notAfter: now - HOUR } }),
  },
  'tcb-signer-signature': {
    summary: 'a TCB signer that another key than the root signed',
    failed: DOCUMENTS,
    certificates: () => ({ tcb: { issuerKey: newKey() } }),
  },
  'other-fmspc': {
    summary: 'TCB info of another platform family',
    failed: ['platform.match'],
    collateral: { fmspc: Uint8Array.of(0x51, 0x4d, 0x55, 0, 0, 1) },
  },
  'other-pceid': {
    summary: 'TCB info of another provisioning enclave',
    failed: ['platform.match'],
    collateral: { pceId: Uint8Array.of(1, 0) },
  },
  'other-fmspc-of-certificate': {
    summary: 'a PCK certificate of another platform family than the TCB info',
    failed: ['platform.match'],
    certificates: () => ({ leaf: { sgx: { fmspc: PLATFORM.fmspc.with(5, 1) } } }),
  },
  'tcb-info-sgx': {
    summary: 'TCB info for SGX, rightly signed',
    failed: ['collateral.format'],
    collateral: { editTcbInfo: (json) => Object.assign(json, { id: 'SGX' }) },
  },
  'qe-identity-sgx': {
    summary: 'the identity of the SGX quoting enclave, rightly signed',
    failed: ['collateral.format'],
    collateral: { editQeIdentity: (json) => Object.assign(json, { id: 'QE' }) },
  },
  'old-evaluation': {
    summary: 'fresh documents of an evaluation below the floor',
    failed: ['tcb.evaluation-floor'],
    collateral: { evaluationNumber: 0 },
  },
  'old-evaluation-qe': {
    summary: 'a QE identity of an evaluation below the floor beside current TCB info',
    failed: ['tcb.evaluation-floor'],
    collateral: { qeEvaluationNumber: 0 },
  },
}
