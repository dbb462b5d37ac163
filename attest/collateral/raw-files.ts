/** Collateral out of single files: named by the nine keys, or as the answers of a PCS were saved. No file is read here. */

import type { Collateral } from '../tdx/collateral.ts'
import { cutSigned } from './cut.ts'
import { CollateralError } from './errors.ts'
import { asText, canonicalChain, chainFromHeader, crlHex, signatureHex } from './parts.ts'

/** Files by lower-case name without their folder. */
export type Files = ReadonlyMap<string, Uint8Array>

/**
 * The names under which each part is looked for, first come first served. After the key's own name stand the names of
 * the README's curl commands and those of Intel's samples.
 */
const NAMES = {
  pck_crl: ['pck_crl', 'pck_crl.der', 'pck_crl.hex', 'pckcrl.der', 'pckcrl', 'intermediatecacrl.der'],
  root_ca_crl: [
    'root_ca_crl',
    'root_ca_crl.der',
    'root_ca_crl.hex',
    'rootcacrl.der',
    'rootcacrl',
    'intelsgxrootca.der',
    'rootcacrl.hex',
  ],
  pck_crl_issuer_chain: [
    'pck_crl_issuer_chain',
    'pck_crl_issuer_chain.pem',
    'pckcrl.pem',
    'pcksignchain.pem',
  ],
  tcb_info_issuer_chain: [
    'tcb_info_issuer_chain',
    'tcb_info_issuer_chain.pem',
    'tcb.pem',
    'tcbsignchain.pem',
  ],
  qe_identity_issuer_chain: [
    'qe_identity_issuer_chain',
    'qe_identity_issuer_chain.pem',
    'identity.pem',
    'tcbsignchain.pem',
  ],
  tcb_info: ['tcb_info', 'tcb_info.json', 'tcb.json', 'tcbinfo.json'],
  qe_identity: ['qe_identity', 'qe_identity.json', 'identity.json', 'qeidentity.json'],
  tcb_info_signature: ['tcb_info_signature', 'tcb_info_signature.hex'],
  qe_identity_signature: ['qe_identity_signature', 'qe_identity_signature.hex'],
  pck_certificate_chain: ['pck_certificate_chain', 'pck_certificate_chain.pem'],
} as const satisfies Record<keyof Collateral, readonly string[]>

/** Saved response headers (curl -D) and the fields in them. */
const HEADERS = {
  pck_crl_issuer_chain: { file: 'pckcrl.headers', fields: ['sgx-pck-crl-issuer-chain'] },
  tcb_info_issuer_chain: {
    file: 'tcb.headers',
    fields: ['tcb-info-issuer-chain', 'sgx-tcb-info-issuer-chain'],
  },
  qe_identity_issuer_chain: { file: 'identity.headers', fields: ['sgx-enclave-identity-issuer-chain'] },
} as const

/** Every name that means something here, so that nothing else in a folder is read. */
export const KNOWN_NAMES: ReadonlySet<string> = new Set([
  ...Object.values(NAMES).flat(),
  ...Object.values(HEADERS).map(({ file }) => file),
])

/** Puts collateral together from files. Throws CollateralError or X509Error, naming the part that is missing or wrong. */
export function collateralFromFiles(files: Files): Collateral {
  const pckChain = find(files, NAMES.pck_certificate_chain)
  const tcb = signed(files, 'tcb_info', 'tcbInfo')
  const qe = signed(files, 'qe_identity', 'enclaveIdentity')
  return {
    pck_crl_issuer_chain: chainOf(files, 'pck_crl_issuer_chain'),
    root_ca_crl: crlHex(need(files, 'root_ca_crl'), 'root_ca_crl'),
    pck_crl: crlHex(need(files, 'pck_crl'), 'pck_crl'),
    tcb_info_issuer_chain: chainOf(files, 'tcb_info_issuer_chain'),
    tcb_info: tcb.text,
    tcb_info_signature: tcb.signature,
    qe_identity_issuer_chain: chainOf(files, 'qe_identity_issuer_chain'),
    qe_identity: qe.text,
    qe_identity_signature: qe.signature,
    ...(pckChain === undefined
      ? {}
      : { pck_certificate_chain: canonicalChain(asText(pckChain, 'PCK chain'), 'pck_certificate_chain') }),
  }
}

type ChainKey = keyof typeof HEADERS

function chainOf(files: Files, key: ChainKey): string {
  const { file, fields } = HEADERS[key]
  const own = find(files, NAMES[key])
  if (own !== undefined) return canonicalChain(asText(own, key), key)
  const headers = files.get(file)
  if (headers === undefined) throw missing(key)
  const value = headerOf(asText(headers, file), fields)
  if (value === undefined) throw bad(`${file}: there is no header ${fields[0]}`)
  return chainFromHeader(value, file)
}

function headerOf(text: string, fields: readonly string[]): string | undefined {
  for (const line of text.split(/\r?\n/)) {
    const colon = line.indexOf(':')
    if (colon > 0 && fields.includes(line.slice(0, colon).trim().toLowerCase()))
      return line.slice(colon + 1).trim()
  }
  return undefined
}

/** The document's exact text with its signature: both in one body of a PCS, or each in a file of its own. */
function signed(
  files: Files,
  key: 'tcb_info' | 'qe_identity',
  member: string,
): { text: string; signature: string } {
  const text = asText(need(files, key), key).trim()
  const own = find(files, NAMES[`${key}_signature`])
  if (own === undefined) return cutSigned(text, member, key)
  return { text, signature: signatureHex(asText(own, `${key}_signature`), `${key}_signature`) }
}

function need(files: Files, key: keyof typeof NAMES): Uint8Array {
  const found = find(files, NAMES[key])
  if (found === undefined) throw missing(key)
  return found
}

function find(files: Files, names: readonly string[]): Uint8Array | undefined {
  const name = names.find((candidate) => files.has(candidate))
  return name === undefined ? undefined : files.get(name)
}

function missing(key: keyof typeof NAMES): CollateralError {
  return bad(`there is no file for ${key}: it is looked for as ${NAMES[key].join(', ')}`)
}

function bad(message: string): CollateralError {
  return new CollateralError('ERR_COLLATERAL_FILES', message)
}
