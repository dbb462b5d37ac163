/** Collateral: what Intel (or the simulated TEE) signs about platforms, in the nine-key shape that tools exchange. */

import { z } from 'zod'
import { fromHex, utf8 } from '../bytes.ts'
import {
  Bounded,
  type Certificate,
  type Crl,
  MAX_CHAIN,
  MAX_CRL,
  parseChain,
  parseCrl,
  proveOnce,
  verifyP256,
  X509Error,
} from '../x509/index.ts'
import { type Identity, parseQeIdentity, parseTcbInfo, type TcbInfo } from './tcb.ts'

const MAX_JSON = 64 * 1024
const chain = z.string().max(MAX_CHAIN)
const crl = z.string().max(2 * MAX_CRL)
const signatureHex = z.string().regex(/^[0-9a-f]{128}$/)

/** The shape alone; hex is lower-case, JSON documents are the exact signed text. */
export const collateralSchema = z.strictObject({
  pck_crl_issuer_chain: chain,
  root_ca_crl: crl,
  pck_crl: crl,
  tcb_info_issuer_chain: chain,
  tcb_info: z.string().max(MAX_JSON),
  tcb_info_signature: signatureHex,
  qe_identity_issuer_chain: chain,
  qe_identity: z.string().max(MAX_JSON),
  qe_identity_signature: signatureHex,
  // Other tools let this replace the quote's own chain; here the quote's chain alone counts, so both must agree.
  pck_certificate_chain: chain.optional(),
})

export type Collateral = z.infer<typeof collateralSchema>

export interface ParsedCollateral {
  pckCrlChain: readonly Certificate[]
  rootCrl: Crl
  pckCrl: Crl
  tcbChain: readonly Certificate[]
  tcbInfo: TcbInfo
  qeChain: readonly Certificate[]
  qeIdentity: Identity
}

/** One platform's collateral serves all its quotes for hours. */
const remembered = new Bounded<ParsedCollateral>(16)

/** Parses every part. Throws X509Error or QuoteError; no signature is checked here. */
export function parseCollateral(collateral: Collateral): ParsedCollateral {
  // Remembered under the whole of it, signatures included, so that what was proved of one stays with that one.
  return remembered.get(JSON.stringify(collateral), () => ({
    pckCrlChain: parseChain(collateral.pck_crl_issuer_chain),
    rootCrl: readCrl(collateral.root_ca_crl, 'root_ca_crl'),
    pckCrl: readCrl(collateral.pck_crl, 'pck_crl'),
    tcbChain: parseChain(collateral.tcb_info_issuer_chain),
    tcbInfo: parseTcbInfo(collateral.tcb_info),
    qeChain: parseChain(collateral.qe_identity_issuer_chain),
    qeIdentity: parseQeIdentity(collateral.qe_identity),
  }))
}

/** Checks a document's signature over its exact text. Throws X509Error. */
export function checkDocument(
  document: TcbInfo | Identity,
  text: string,
  signature: string,
  signer: Certificate,
): Promise<void> {
  return proveOnce(document, signer, async () => {
    if (await verifyP256(signer.publicKey, fromHex(signature), utf8(text))) return
    throw new X509Error(`${document.id}: the signature does not verify`)
  })
}

/** The same two lists come with the collateral of every platform. A list holds its own signature. */
const lists = new Bounded<Crl>(16)

function readCrl(text: string, name: string): Crl {
  return lists.get(text, () => parseCrl(hexBytes(text, name)))
}

function hexBytes(text: string, name: string): Uint8Array {
  try {
    return fromHex(text)
  } catch {
    throw new X509Error(`collateral: ${name} is not lower-case hexadecimal`)
  }
}
