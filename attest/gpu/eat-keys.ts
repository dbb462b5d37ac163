/** Keys of NVIDIA's attestation service (NRAS): a JWKS that changes daily, with an X.509 chain for each key. */

import { sha256 } from '@noble/hashes/sha2.js'
import { type CryptoKey, importJWK } from 'jose'
import { z } from 'zod'
import { BodyTooLong, discardBody, type Fetch, readBody } from '../body.ts'
import { concat, equalBytes, fromBase64, fromBase64Url, toHex } from '../bytes.ts'
import { parseStrictJson } from '../json.ts'
import { firstIssue } from '../schema.ts'
import { type Certificate, checkDates, checkIssued, KEY_USAGE, parseCertificate } from '../x509/index.ts'
import { EatError } from './eat-claims.ts'

/** Where NRAS publishes its keys. The only address that keys are ever fetched from. */
export const NRAS_KEYS_URL = 'https://nras.attestation.nvidia.com/.well-known/jwks.json'

const MAX_JWKS = 512 * 1024
const FETCH_TIMEOUT_MS = 10_000

// 48 bytes of base64url; other members than these are left alone, as RFC 7517 (section 4) wants it.
const coordinate = z.string().regex(/^[A-Za-z0-9_-]{64}$/, 'not a coordinate of P-384')
const keySchema = z.object({
  kty: z.literal('EC'),
  crv: z.literal('P-384'),
  kid: z.string().min(1).max(256),
  alg: z.literal('ES384').optional(),
  use: z.literal('sig').optional(),
  x: coordinate,
  y: coordinate,
  x5c: z.array(z.string().max(8192)).min(1).max(4).optional(),
})
const jwksSchema = z.object({ keys: z.array(z.unknown()).min(1).max(256) })

type ServiceKey = z.infer<typeof keySchema>

/**
 * Finds the key that a token names. Keys of other kinds in the set are passed over; two of one name are refused.
 *
 * @throws EatError when there is no such key, or it is no ES384 key
 */
export function findKey(jwks: unknown, kid: string): ServiceKey {
  const set = jwksSchema.safeParse(jwks)
  if (!set.success) throw new EatError('JWKS: not an object with 1 to 256 keys')
  const named = set.data.keys.filter((key) => (key as { kid?: unknown } | null)?.kid === kid)
  if (named.length === 0) throw new EatError(`JWKS: no key is named ${JSON.stringify(kid).slice(0, 80)}`)
  if (named.length > 1) throw new EatError('JWKS: two keys have one name')
  const key = keySchema.safeParse(named[0])
  if (key.success) return key.data
  throw new EatError(`JWKS: the token's key: ${firstIssue(key.error)}`)
}

/** Imports a key for ES384. Throws EatError when it is not a point of the curve. */
export async function importKey({ kty, crv, x, y }: ServiceKey): Promise<CryptoKey> {
  try {
    return (await importJWK({ kty, crv, x, y }, 'ES384')) as CryptoKey
  } catch {
    throw new EatError("JWKS: the token's key is not a point of P-384")
  }
}

/**
 * Checks that a pinned intermediate CA vouches for the key: x5c is [leaf, intermediate, …], the leaf certifies this
 * very key, and both are valid now. A JWKS that comes from the prover is worth nothing without this.
 *
 * @param intermediates SHA-256 of the intermediate certificates believed, hex
 * @param now milliseconds since 1970
 * @returns the last moment (ms) at which both are valid
 * @throws EatError or X509Error
 */
export async function checkKeyChain(
  key: ServiceKey,
  intermediates: readonly string[],
  now: number,
): Promise<number> {
  const [leafText, intermediateText] = key.x5c ?? []
  if (leafText === undefined || intermediateText === undefined) {
    throw new EatError('JWKS: the key has no x5c with a leaf and its issuer')
  }
  const intermediate = certificateOf(intermediateText)
  if (!intermediates.includes(toHex(sha256(intermediate.der)))) {
    throw new EatError('JWKS: the key was certified by an intermediate CA that the policy does not pin')
  }
  const leaf = certificateOf(leafText)
  const point = concat(Uint8Array.of(4), fromBase64Url(key.x), fromBase64Url(key.y))
  if (!equalBytes(leaf.publicKey, point)) throw new EatError('JWKS: x5c certifies another key')
  if (leaf.ca) throw new EatError('JWKS: the key is that of a CA')
  if (leaf.keyUsage !== undefined && !(leaf.keyUsage & KEY_USAGE.digitalSignature)) {
    throw new EatError('JWKS: the key may not sign')
  }
  await checkIssued(leaf, intermediate)
  checkDates(leaf, now)
  checkDates(intermediate, now)
  return Math.min(leaf.notAfter, intermediate.notAfter)
}

function certificateOf(text: string): Certificate {
  let bytes: Uint8Array
  try {
    bytes = fromBase64(text)
  } catch {
    throw new EatError('JWKS: x5c is not base64')
  }
  return parseCertificate(bytes, 'P-384')
}

/**
 * Fetches the keys of NRAS (at most 512 KiB, 10 s, no redirects). What comes back is for judgeEat's `jwks`.
 *
 * @throws EatError that says what to do
 */
export async function fetchServiceKeys(fetch: Fetch): Promise<unknown> {
  try {
    const response = await fetch(NRAS_KEYS_URL, {
      redirect: 'error',
      signal: AbortSignal.timeout(FETCH_TIMEOUT_MS),
      headers: { accept: 'application/json' },
    })
    if (!response.ok) {
      await discardBody(response)
      throw new EatError(`the keys of NRAS: HTTP status ${response.status}; try again later`)
    }
    return parseStrictJson(await readBody(response, MAX_JWKS))
  } catch (error) {
    if (error instanceof BodyTooLong) throw new EatError(`the keys of NRAS: ${error.message}`)
    if (error instanceof EatError) throw error
    throw new EatError(
      `the keys of NRAS could not be fetched from ${NRAS_KEYS_URL}: give a stored JWKS, or try again online`,
    )
  }
}
