/** Fuzz targets for what a PCS, a PCCS or a folder hands out. */

import { fromHex, toBase64, utf8 } from '../bytes.ts'
import { cutSigned } from '../collateral/cut.ts'
import { readNineKeys } from '../collateral/nine-keys.ts'
import { asText, canonicalChain, chainFromHeader, crlHex } from '../collateral/parts.ts'
import { rootCrlUrl } from '../collateral/root-crl.ts'
import { sampleTee } from '../evidence/testing.ts'
import { haveVectors, vectorBytes } from '../tdx/testing.ts'
import { encodePem } from '../x509/index.ts'
import type { Target } from './fuzz.ts'
import { readJson } from './input.ts'

const collateral = sampleTee().issueCollateral({})

export const COLLATERAL_TARGETS: Readonly<Record<string, Target>> = {
  'pcs-body': {
    reads: 'answers of a PCS: a signed document as a member of a JSON object',
    seeds: () => [utf8(`{"tcbInfo":${collateral.tcb_info},"signature":"${collateral.tcb_info_signature}"}`)],
    parse: (bytes) => cutSigned(asText(bytes, 'body'), 'tcbInfo', 'body'),
  },
  'pcs-header': {
    reads: 'issuer chains in headers, percent-encoded',
    seeds: () => [utf8(encodeURIComponent(collateral.tcb_info_issuer_chain))],
    parse: (bytes) => chainFromHeader(asText(bytes, 'header'), 'header'),
  },
  'pcs-chain': {
    reads: 'issuer chains as PEM files',
    seeds: () => [utf8(collateral.pck_crl_issuer_chain.replaceAll('\n', '\r\n'))],
    parse: (bytes) => canonicalChain(asText(bytes, 'file'), 'file'),
  },
  'pcs-list': {
    reads: 'revocation lists as DER, hex or PEM',
    seeds: () => {
      const { pck_crl } = collateral
      const body = toBase64(fromHex(pck_crl))
      return [
        fromHex(pck_crl),
        utf8(pck_crl),
        utf8(`-----BEGIN X509 CRL-----\n${body}\n-----END X509 CRL-----\n`),
      ]
    },
    parse: (bytes) => crlHex(bytes, 'list'),
  },
  'nine-keys': {
    reads: 'nine-key collateral in the spellings of other tools',
    seeds: () => [utf8(JSON.stringify({ ...collateral, pck_crl: [...fromHex(collateral.pck_crl)] }))],
    parse: (bytes) => readNineKeys(readJson(bytes)),
  },
  ...(haveVectors()
    ? {
        'distribution-point': {
          reads: 'the address of a revocation list in a root certificate',
          seeds: () => [vectorBytes('roots/intel_sgx_root_ca.der')],
          parse: (bytes: Uint8Array) => rootCrlUrl(encodePem([bytes])),
        },
      }
    : {}),
}
