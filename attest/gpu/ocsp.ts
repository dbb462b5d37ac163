/**
 * Revocation of GPU and RIM certificates by OCSP (RFC 6960): answers that came with the evidence, or from the responder
 * itself. "Unknown" and "on hold" are refusals like "revoked".
 */

import { BodyTooLong, discardBody, type Fetch, readBody } from '../body.ts'
import { equalBytes, toHex } from '../bytes.ts'
import { ChrysalisError } from '../errors.ts'
import { type Factors, failureReason } from '../policy/factors.ts'
import {
  type Certificate,
  checkDates,
  checkIssued,
  DerReader,
  KEY_USAGE,
  OID,
  oidText,
  proveOnce,
  TAG,
  verifyEcdsa,
  X509Error,
} from '../x509/index.ts'
import {
  certificateId,
  encodeRequest,
  MAX_RESPONSE,
  OCSP_NONCE,
  OCSP_OID,
  type OcspResponse,
  parseResponse,
  type SingleResponse,
} from './ocsp-message.ts'

/** NVIDIA's responder for device and RIM certificates. */
export const NVIDIA_OCSP_URL = 'https://ocsp.ndis.nvidia.com'

/** How far the responder's clock may be ahead of the verifier's, ms. */
const CLOCK_SKEW = 5_000
const TIMEOUT_MS = 10_000
const MAX_PAIRS = 256
const MAX_CARRIED = 256

/** A certificate and the CA that issued it. */
export interface IssuedPair {
  certificate: Certificate
  issuer: Certificate
}

/** A way to a responder. */
export interface OcspClient {
  /** Sends one OCSPRequest (DER) and returns the answer's bytes. Throws OcspUnreachable when there is none. */
  ask(request: Uint8Array): Promise<Uint8Array>
}

/** The responder gave no answer; nothing is known, good or bad. */
export class OcspUnreachable extends ChrysalisError {
  constructor(message: string) {
    super('ERR_OCSP_UNREACHABLE', message)
  }
}

/** A client of one responder over HTTP: POST, no redirects, 10 s, and no more bytes than an answer may have. */
export function httpOcspClient(fetch: Fetch, url: string = NVIDIA_OCSP_URL): OcspClient {
  return {
    async ask(request) {
      let status: number
      try {
        const response = await fetch(url, {
          method: 'POST',
          body: new Uint8Array(request),
          redirect: 'error',
          signal: AbortSignal.timeout(TIMEOUT_MS),
          headers: { 'content-type': 'application/ocsp-request', accept: 'application/ocsp-response' },
        })
        status = response.status
        if (status === 200) return await readBody(response, MAX_RESPONSE)
        await discardBody(response)
      } catch (error) {
        // It did answer, so this is a bad answer and not the lack of one.
        if (error instanceof BodyTooLong) throw new X509Error(`OCSP response: ${error.message}`)
        throw new OcspUnreachable(`the OCSP responder ${url} cannot be reached; verify again online`)
      }
      throw new OcspUnreachable(`the OCSP responder ${url} answers with status ${status}`)
    },
  }
}

export interface OcspInput {
  /** Verified chains of devices, leaf first, root last. No responder knows the leaf, which the device issues itself. */
  deviceChains: readonly (readonly Certificate[])[]
  /** Verified chains of RIM signers, leaf first, root last. */
  rimChains: readonly (readonly Certificate[])[]
  /** Answers that came with the evidence, DER. */
  responses?: readonly Uint8Array[] | undefined
  /** The nonce that answers with the evidence must carry, if they carry one. */
  nonce?: Uint8Array | undefined
  /** Asked about every certificate, whatever the evidence carries: its answers may be as old as they say they hold. */
  client?: OcspClient | undefined
  /** Milliseconds since 1970. */
  now: number
}

/**
 * Sets gpu.ocsp: passes when every certificate is shown to be good, by the responder itself if there is a way to it, else
 * by the answers that came with the evidence. Fails on one that is revoked, on hold or unknown, and on any answer that is
 * forged, stale or for another nonce, whoever brought it; is a skip where nobody could be asked.
 *
 * @returns the last moment (ms) at which a pass holds; undefined without one
 */
export async function judgeOcsp(factors: Factors, input: OcspInput): Promise<number | undefined> {
  try {
    const { client, now } = input
    const pairs = issuedPairs(input)
    const { open, ends } = await findOpen(pairs, input)
    if (pairs.length === 0) {
      factors.set('gpu.ocsp', 'skip', 'there is no certificate chain to ask about')
    } else if (client !== undefined) {
      ends.push(...(await worst(pairs.map((pair) => askOne(pair, client, now)))))
      factors.set('gpu.ocsp', 'pass', `${pairs.length} certificates are good by OCSP, asked just now`)
      return Math.min(...ends)
    } else if (open.length === 0) {
      factors.set('gpu.ocsp', 'pass', `${pairs.length} certificates are good by OCSP, as the evidence shows`)
      return Math.min(...ends)
    } else {
      factors.set('gpu.ocsp', 'skip', `not asked (offline): ${open.length} certificates, ${firstName(open)}`)
    }
  } catch (error) {
    if (error instanceof OcspUnreachable) factors.set('gpu.ocsp', 'skip', error.message)
    else factors.set('gpu.ocsp', 'fail', failureReason(error))
  }
  return undefined
}

/** Every certificate whose revocation counts, once, with its issuer. A root is pinned, so nobody is asked about it. */
export function issuedPairs({
  deviceChains,
  rimChains,
}: Pick<OcspInput, 'deviceChains' | 'rimChains'>): IssuedPair[] {
  const pairs = new Map<string, IssuedPair>()
  for (const chain of [...deviceChains.map((whole) => whole.slice(1)), ...rimChains]) {
    for (const [i, certificate] of chain.entries()) {
      const issuer = chain[i + 1]
      if (issuer !== undefined) pairs.set(toHex(certificate.der), { certificate, issuer })
    }
  }
  return [...pairs.values()]
}

function firstName([first]: readonly IssuedPair[]): string {
  return `first "${first?.certificate.commonName ?? ''}"`
}

/** Verifies the given answers; returns the pairs that they leave open, and until when each holds. Throws X509Error. */
async function findOpen(
  pairs: readonly IssuedPair[],
  { responses = [], nonce, now }: OcspInput,
): Promise<{ open: IssuedPair[]; ends: number[] }> {
  if (pairs.length > MAX_PAIRS) throw new X509Error(`OCSP: more than ${MAX_PAIRS} certificates`)
  if (responses.length > MAX_CARRIED) throw new X509Error(`OCSP: more than ${MAX_CARRIED} responses`)
  const parsed = responses.map(parseResponse)
  for (const response of parsed) {
    if (nonce !== undefined && response.nonce !== undefined && !equalBytes(response.nonce, nonce)) {
      throw new X509Error('OCSP response: its nonce is another')
    }
  }
  const open: IssuedPair[] = []
  const ends: number[] = []
  for (const pair of pairs) {
    const id = certificateId(pair.certificate, pair.issuer)
    const about = parsed.filter(({ responses: singles }) =>
      singles.some((single) => equalBytes(single.id, id)),
    )
    for (const response of about) ends.push(await checkAnswer(response, id, pair, now, false))
    if (about.length === 0) open.push(pair)
  }
  return { open, ends }
}

/** Waits for all; whoever drops some answers shall not turn a bad one among the others into "unreachable". */
async function worst(questions: readonly Promise<number>[]): Promise<number[]> {
  const results = await Promise.allSettled(questions)
  const errors = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []))
  if (errors.length > 0) throw errors.find((error) => !(error instanceof OcspUnreachable)) ?? errors[0]
  return results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
}

async function askOne(pair: IssuedPair, client: OcspClient, now: number): Promise<number> {
  const nonce = crypto.getRandomValues(new Uint8Array(OCSP_NONCE))
  const response = parseResponse(await client.ask(encodeRequest(pair.certificate, pair.issuer, nonce)))
  if (response.nonce === undefined || !equalBytes(response.nonce, nonce)) {
    throw new X509Error('OCSP response: its nonce is not the one that was sent')
  }
  return checkAnswer(response, certificateId(pair.certificate, pair.issuer), pair, now, true)
}

/**
 * Throws X509Error unless this response says, signed by the right responder, that the certificate is good now.
 *
 * @param fresh whether the answer carries the nonce that was just sent, and so needs no nextUpdate
 * @returns until when the answer holds, ms
 */
async function checkAnswer(
  response: OcspResponse,
  id: Uint8Array,
  { certificate, issuer }: IssuedPair,
  now: number,
  fresh: boolean,
): Promise<number> {
  const what = `OCSP of "${certificate.commonName}"`
  const signedUntil = await checkSignature(response, issuer, now)
  if (response.producedAt > now + CLOCK_SKEW) throw new X509Error(`${what}: the answer is from the future`)
  const singles = response.responses.filter((single) => equalBytes(single.id, id))
  if (singles.length === 0) throw new X509Error(`${what}: the answer is about other certificates`)
  return Math.min(signedUntil, ...singles.map((single) => checkSingle(what, single, now, fresh)))
}

const ON_HOLD = 6

function checkSingle(
  what: string,
  { status, reason, thisUpdate, nextUpdate }: SingleResponse,
  now: number,
  fresh: boolean,
): number {
  if (status === 'revoked') {
    const why =
      reason === ON_HOLD ? 'on hold' : reason === undefined ? 'revoked' : `revoked (reason ${reason})`
    throw new X509Error(`${what}: the certificate is ${why}`)
  }
  if (status === 'unknown') throw new X509Error(`${what}: the responder does not know the certificate`)
  if (thisUpdate > now + CLOCK_SKEW) throw new X509Error(`${what}: the answer is not yet valid`)
  if (nextUpdate === undefined && fresh) return now
  if (nextUpdate === undefined) throw new X509Error(`${what}: the answer does not say how long it holds`)
  if (nextUpdate <= now) throw new X509Error(`${what}: the answer is stale; ask again`)
  return nextUpdate - 1
}

/**
 * The responder is the issuer itself, or one that the issuer certified for this with id-kp-OCSPSigning. Returns until
 * when its certificate is in date.
 */
async function checkSignature(response: OcspResponse, issuer: Certificate, now: number): Promise<number> {
  const candidates = [issuer, ...response.certificates]
  const named = await Promise.all(candidates.map((candidate) => isResponder(candidate, response.responder)))
  const signer = candidates.find((_, i) => named[i])
  if (signer === undefined) throw new X509Error('OCSP response: the certificate of its signer is missing')
  if (signer !== issuer && !equalBytes(signer.der, issuer.der)) {
    const { commonName } = signer
    if (!allowsOcspSigning(signer)) throw new X509Error(`OCSP signer "${commonName}": may not sign answers`)
    if (signer.ca) throw new X509Error(`OCSP signer "${commonName}": is a CA`)
    await checkIssued(signer, issuer)
  }
  checkDates(signer, now)
  await proveOnce(response, signer, async () => {
    if (
      response.curve !== signer.curve ||
      !(await verifyEcdsa(signer.curve, signer.publicKey, response.signature, response.data))
    ) {
      throw new X509Error('OCSP response: the signature does not verify')
    }
  })
  return signer.notAfter
}

async function isResponder(certificate: Certificate, responder: OcspResponse['responder']): Promise<boolean> {
  if ('name' in responder) return equalBytes(certificate.subject, responder.name)
  // RFC 6960 fixes SHA-1 here; it only picks the certificate, whose signature is then verified.
  const hash = await crypto.subtle.digest('SHA-1', new Uint8Array(certificate.publicKey))
  return equalBytes(new Uint8Array(hash), responder.keyHash)
}

function allowsOcspSigning(certificate: Certificate): boolean {
  const usage = certificate.keyUsage
  if (usage !== undefined && !(usage & KEY_USAGE.digitalSignature)) return false
  const extension = certificate.extensions.get(OID.extendedKeyUsage)
  if (extension === undefined) return false
  const purposes = DerReader.only(extension.value, 'extended key usage')
  let found = false
  while (!purposes.done) found = oidText(purposes.next(TAG.oid).value) === OCSP_OID.signing || found
  return found
}
