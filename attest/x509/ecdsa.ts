/** ECDSA over P-256 with SHA-256 and over P-384 with SHA-384 through WebCrypto, which Node and browsers share. */

import { toHex } from '../bytes.ts'
import { DerReader, TAG, unsignedInteger, X509Error } from './der.ts'
import { Bounded } from './memory.ts'

/** A curve together with the one hash that is used with it here. */
export type Curve = 'P-256' | 'P-384'

/** Bytes of one coordinate, and of each half of a raw signature. */
export const COORDINATE: Record<Curve, number> = { 'P-256': 32, 'P-384': 48 }

const ALGORITHMS = {
  'P-256': { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  'P-384': { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
} as const
type Key = Awaited<ReturnType<typeof crypto.subtle.importKey>>

/** Importing a key costs a third of a verification, and attestation chains repeat the same few keys. */
const keys = new Bounded<Promise<Key>>(256)

/**
 * Verifies a raw signature (r || s, 64 or 96 bytes) by an uncompressed public key (04 || x || y, 65 or 97 bytes).
 * Returns false for a bad signature and for a key that is not a point of the curve.
 */
export async function verifyEcdsa(
  curve: Curve,
  publicKey: Uint8Array,
  signature: Uint8Array,
  message: Uint8Array,
): Promise<boolean> {
  const size = COORDINATE[curve]
  if (publicKey.length !== 2 * size + 1 || publicKey[0] !== 4 || signature.length !== 2 * size) return false
  try {
    const key = await ecdsaKey(curve, publicKey)
    return await crypto.subtle.verify(ALGORITHMS[curve], key, copy(signature), copy(message))
  } catch {
    return false
  }
}

/** verifyEcdsa over P-256 with SHA-256. */
export function verifyP256(
  publicKey: Uint8Array,
  signature: Uint8Array,
  message: Uint8Array,
): Promise<boolean> {
  return verifyEcdsa('P-256', publicKey, signature, message)
}

/** The public key as WebCrypto holds it, for verifying only. Rejects when it is no point of the curve. */
export function ecdsaKey(curve: Curve, publicKey: Uint8Array): Promise<Key> {
  const name = toHex(publicKey)
  return keys.get(name, () => {
    const key = crypto.subtle.importKey('raw', copy(publicKey), ALGORITHMS[curve], false, ['verify'])
    // An attacker's points off the curve must not push the good keys out.
    key.catch(() => keys.forget(name))
    return key
  })
}

/** WebCrypto wants bytes over a plain ArrayBuffer; views may lie over shared memory. */
function copy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes)
}

/** Converts a DER ECDSA-Sig-Value to r || s (64 bytes for P-256, 96 for P-384). */
export function rawSignature(encoded: Uint8Array, curve: Curve = 'P-256'): Uint8Array<ArrayBuffer> {
  const size = COORDINATE[curve]
  const sequence = DerReader.only(encoded, 'ECDSA signature')
  const raw = new Uint8Array(2 * size)
  for (const end of [size, 2 * size]) {
    const integer = unsignedInteger(sequence.next(TAG.integer).value, 'ECDSA signature')
    const value = integer[0] === 0 ? integer.subarray(1) : integer
    if (value.length > size) throw new X509Error(`ECDSA signature: number wider than ${size * 8} bits`)
    raw.set(value, end - value.length)
  }
  sequence.end()
  return raw
}
