/** Cases about the quote as bytes, its signatures and its certificate chain. */

import { fromBase64, toBase64, toHex } from '../bytes.ts'
import type { EvidenceBundle } from '../evidence/bundle.ts'
import { readPckPlatform } from '../tdx/pck.ts'
import { parseCertificate } from '../x509/index.ts'
import type { CaseContext, CaseTable } from './case-spec.ts'
import { digest } from './digest.ts'
import { newKey, type Platform } from './platform.ts'
import { quotingEnclaveId } from './quote.ts'

const DAY = 86_400_000
const FORMAT = ['quote.format'] as const

/** Changes the finished quote. */
function quoteEdit(change: (quote: Uint8Array) => Uint8Array) {
  return (bundle: EvidenceBundle): EvidenceBundle => ({
    ...bundle,
    quote: toBase64(change(fromBase64(bundle.quote))),
  })
}

function flip(quote: Uint8Array, at: number): Uint8Array {
  return quote.with(at, (quote[at] ?? 0) ^ 1)
}

function rootOf({ certificates }: Platform): { sha256: string; kind: 'simulated' } {
  return { sha256: toHex(digest('sha256', certificates.root)), kind: 'simulated' }
}

const pck = ({ platform }: CaseContext) => readPckPlatform(parseCertificate(platform.certificates.leaf))

export const QUOTE_CASES: CaseTable = {
  'quote-signature': {
    summary: 'a quote that another key than its attestation key signed',
    failed: ['quote.signature'],
    forgery: { signingKey: newKey() },
  },
  'quote-changed': {
    summary: 'a quote of which one bit of the header was changed after signing',
    failed: ['quote.signature'],
    bundle: quoteEdit((quote) => flip(quote, 46)),
  },
  'quote-register-changed': {
    summary: 'a quote of which one bit of RTMR3 was changed after signing',
    failed: ['quote.signature', 'eventlog.replay', 'eventlog.claims'],
    bundle: quoteEdit((quote) => flip(quote, 520)),
  },
  'qe-report-signature': {
    summary: 'a QE report that another key than the PCK signed',
    failed: ['qe.report'],
    forgery: { qeReportKey: newKey() },
  },
  'attestation-key': {
    summary: 'an attestation key that the QE report does not name',
    failed: ['qe.report', 'quote.signature'],
    bundle: quoteEdit((quote) => flip(quote, 700)),
  },
  'qe-auth-data': {
    summary: 'QE authentication data that the QE report does not name',
    failed: ['qe.report'],
    bundle: quoteEdit((quote) => flip(quote, 1220)),
  },
  'quote-padding': {
    summary: 'a quote followed by something other than zeros',
    failed: FORMAT,
    forgery: { wire: { padding: Uint8Array.of(0, 0, 1) } },
  },
  'quote-truncated': {
    summary: 'a quote that ends early',
    failed: FORMAT,
    bundle: quoteEdit((quote) => quote.subarray(0, -1)),
  },
  'quote-sgx': {
    summary: 'a quote of an SGX enclave',
    failed: FORMAT,
    forgery: { wire: { teeType: 0 } },
  },
  'quote-version': {
    summary: 'a quote of version 3, which only SGX enclaves have',
    failed: FORMAT,
    forgery: { wire: { version: 3 } },
  },
  'quote-key-type': {
    summary: 'a quote with an attestation key on P-384',
    failed: FORMAT,
    forgery: { wire: { keyType: 3 } },
  },
  'quote-vendor': {
    summary: 'a quote of a quoting enclave that is not from Intel',
    failed: FORMAT,
    forgery: { wire: { vendor: '00'.repeat(16) } },
  },
  'quote-certification-outer': {
    summary: 'a quote without a QE report where one belongs',
    failed: FORMAT,
    forgery: { wire: { outerType: 5 } },
  },
  'quote-certification-inner': {
    summary: 'a quote with an encrypted PPID in place of the PCK chain',
    failed: FORMAT,
    forgery: { wire: { innerType: 3 } },
  },
  'good-auth-data': {
    summary: 'good evidence: a quoting enclave without authentication data',
    forgery: { wire: { qeAuthData: new Uint8Array() } },
  },
  'chain-other-root': {
    summary: 'evidence of another installation: its root is not the pinned one',
    failed: ['anchor.pinned'],
    policy: ({ other }) => ({ roots: [rootOf(other)] }),
  },
  'chain-reordered': {
    summary: 'a PCK chain whose leaf and CA have changed places',
    failed: ['pck.chain', 'crl.signature', 'qe.report'],
    forgery: ({ platform: { certificates } }) => ({
      chain: [certificates.ca, certificates.leaf, certificates.root],
    }),
  },
  'chain-too-long': {
    summary: 'a PCK chain with a fourth certificate',
    failed: FORMAT,
    forgery: ({ platform: { certificates } }) => ({
      chain: [certificates.leaf, certificates.ca, certificates.root, certificates.root],
    }),
  },
  'chain-tcb-signer': {
    summary:
      'the TCB signer in the place of the PCK certificate: a genuine certificate in a role that is not its own',
    failed: ['pck.chain'],
    forgery: ({ platform: { certificates, keys } }) => ({
      chain: [certificates.tcb, certificates.ca, certificates.root],
      qeReportKey: keys.tcb,
    }),
  },
  'chain-leaf-signature': {
    summary: 'a PCK certificate that another key than its CA signed',
    failed: ['pck.chain'],
    certificates: () => ({ leaf: { issuerKey: newKey() } }),
  },
  'chain-ca-signature': {
    summary: 'a PCK CA that another key than the root signed',
    failed: ['pck.chain'],
    certificates: () => ({ ca: { issuerKey: newKey() } }),
  },
  'chain-leaf-is-ca': {
    summary: 'a PCK certificate that could issue others',
    failed: ['pck.chain'],
    certificates: () => ({ leaf: { caPathLength: 0 } }),
  },
  'pck-expired': {
    summary: 'a PCK certificate that has expired',
    failed: ['pck.chain'],
    certificates: (now) => ({ leaf: { notAfter: now - DAY / 2 } }),
  },
  'pck-not-yet-valid': {
    summary: 'a PCK certificate of tomorrow',
    failed: ['pck.chain'],
    certificates: (now) => ({ leaf: { notBefore: now + DAY } }),
  },
  'ca-expired': {
    summary: 'a PCK CA that has expired',
    failed: ['pck.chain'],
    certificates: (now) => ({ ca: { notAfter: now - DAY / 2 } }),
  },
  'root-expired': {
    summary: 'the pinned root, after its time',
    failed: ['pck.chain'],
    certificates: (now) => ({ root: { notAfter: now - DAY / 2 } }),
  },
  'platform-refused-ppid': {
    summary: 'a platform that the policy refuses by its PPID',
    failed: ['platform.allowed'],
    policy: (context) => ({ revokedPlatforms: [pck(context).ppid] }),
  },
  'platform-refused-instance': {
    summary: 'a platform that the policy refuses by its instance id',
    failed: ['platform.allowed'],
    policy: (context) => ({ revokedPlatforms: [pck(context).platformInstanceId ?? ''] }),
  },
  'platform-refused-qe': {
    summary: 'a platform that the policy refuses by the id of its quoting enclave',
    failed: ['platform.allowed'],
    policy: ({ platform }) => ({
      revokedPlatforms: [toHex(quotingEnclaveId(platform.certificates.leaf))],
    }),
  },
}
