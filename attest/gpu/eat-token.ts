/** One token of NVIDIA's attestation service: a compact JWS, ES384 and nothing else. */

import { compactVerify, decodeProtectedHeader } from 'jose'
import { parseStrictJson } from '../json.ts'
import { EatError, requireClaim, type TokenClaims } from './eat-claims.ts'
import { checkKeyChain, findKey, importKey } from './eat-keys.ts'

/** Who signs NVIDIA's tokens. */
export const NRAS_ISSUER = 'https://nras.attestation.nvidia.com'

/** How far the service's clock may be ahead of the verifier's, and the longest life of a token (both seconds). */
const CLOCK_SKEW = 5
const MAX_LIFETIME = 86_400

/** Where the key may come from. */
export interface CarriedKeys {
  /** A JWKS that the verifier has from the service; used alone when it is there. */
  trusted: unknown
  /** A JWKS that came with the evidence: believed only under a pinned intermediate CA. */
  carried: unknown
  /** SHA-256 of the pinned intermediates, hex. */
  intermediates: readonly string[]
}

/**
 * Verifies one token's header, key, signature, issuer and dates; returns its claims, and the last
 * moment (ms) at which they hold.
 *
 * @param now milliseconds since 1970
 * @throws EatError or X509Error
 */
export async function readToken(
  what: string,
  text: string,
  { trusted, carried, intermediates }: CarriedKeys,
  issuer: string,
  now: number,
): Promise<{ claims: TokenClaims; until: number }> {
  const kid = readHeader(what, text)
  if (trusted === undefined && carried === undefined) {
    throw new EatError(`${what}: no keys to verify it by; give a JWKS of NRAS from the day of the token`)
  }
  if (trusted === undefined && intermediates.length === 0) {
    throw new EatError(
      `${what}: its keys come from the prover alone; give a JWKS of NRAS, or pin an intermediate CA`,
    )
  }
  const key = findKey(trusted ?? carried, kid)
  const chainEnd = intermediates.length > 0 ? await checkKeyChain(key, intermediates, now) : Infinity
  const claims = await verifiedClaims(what, text, await importKey(key))
  requireClaim(what, claims, 'iss', issuer)
  const exp = checkTimes(what, claims, now / 1000)
  return { claims, until: Math.min(chainEnd, exp * 1000 - 1) }
}

const HEADER_KNOWN: readonly string[] = ['alg', 'kid', 'typ']

/** Checks the header and returns the name of the key. */
function readHeader(what: string, text: string): string {
  let header: Record<string, unknown>
  try {
    header = decodeProtectedHeader(text) as Record<string, unknown>
  } catch {
    throw new EatError(`${what}: its header is not readable`)
  }
  if (header.alg !== 'ES384') throw new EatError(`${what}: its algorithm is not ES384`)
  if (Object.keys(header).some((name) => !HEADER_KNOWN.includes(name))) {
    throw new EatError(`${what}: its header names more than algorithm and key`)
  }
  if (typeof header.kid !== 'string') throw new EatError(`${what}: its header names no key`)
  return header.kid
}

async function verifiedClaims(
  what: string,
  text: string,
  key: Awaited<ReturnType<typeof importKey>>,
): Promise<TokenClaims> {
  let payload: Uint8Array
  try {
    payload = (await compactVerify(text, key, { algorithms: ['ES384'] })).payload
  } catch {
    throw new EatError(`${what}: the signature does not verify`)
  }
  try {
    const claims = parseStrictJson(payload)
    if (typeof claims === 'object' && claims !== null && !Array.isArray(claims)) return claims as TokenClaims
  } catch {
    // What is thrown below says it.
  }
  throw new EatError(`${what}: its claims are not one JSON object, or a name stands twice`)
}

/** Returns `exp`. All times in seconds since 1970. */
function checkTimes(what: string, claims: TokenClaims, now: number): number {
  const [iat, nbf, exp] = ['iat', 'nbf', 'exp'].map((claim) => {
    const time = claims[claim]
    if (Number.isSafeInteger(time)) return time as number
    throw new EatError(`${what}: ${claim} is not a time`)
  }) as [number, number, number]
  if (Math.max(iat, nbf) > now + CLOCK_SKEW) throw new EatError(`${what}: not yet valid`)
  if (exp <= now) throw new EatError(`${what}: expired at ${exp}; ask NRAS anew`)
  if (exp - iat > MAX_LIFETIME) throw new EatError(`${what}: valid for more than a day`)
  return exp
}
