/** ECDSA over P-256 with SHA-256 through WebCrypto, which Node and browsers share. */

import { toHex } from '../bytes.ts'
import { DerReader, TAG, unsignedInteger, X509Error } from './der.ts'

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const
type Key = Awaited<ReturnType<typeof crypto.subtle.importKey>>

/** Importing a key costs a third of a verification, and attestation chains repeat the same few keys. */
const keys = new Map<string, Promise<Key>>()
const MAX_KEYS = 256

/**
 * Verifies a raw signature (r || s, 64 bytes) by an uncompressed public key (04 || x || y, 65 bytes).
 * Returns false for a bad signature and for a key that is not a point of the curve.
 */
export async function verifyP256(
  publicKey: Uint8Array,
  signature: Uint8Array,
  message: Uint8Array,
): Promise<boolean> {
  if (publicKey.length !== 65 || publicKey[0] !== 4 || signature.length !== 64) return false
  try {
    const key = await importKey(publicKey)
    return await crypto.subtle.verify(ALGORITHM, key, copy(signature), copy(message))
  } catch {
    return false
  }
}

function importKey(publicKey: Uint8Array): Promise<Key> {
  const name = toHex(publicKey)
  const known = keys.get(name)
  if (known !== undefined) return known
  const oldest = keys.keys().next()
  if (keys.size >= MAX_KEYS && oldest.value !== undefined) keys.delete(oldest.value)
  const key = crypto.subtle.importKey('raw', copy(publicKey), ALGORITHM, false, ['verify'])
  keys.set(name, key)
  // An attacker's points off the curve must not push the good keys out.
  key.catch(() => keys.delete(name))
  return key
}

/** WebCrypto wants bytes over a plain ArrayBuffer; views may lie over shared memory. */
function copy(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes)
}

/** Converts a DER ECDSA-Sig-Value of P-256 to r || s (64 bytes). */
export function rawSignature(encoded: Uint8Array): Uint8Array<ArrayBuffer> {
  const outer = new DerReader(encoded, 'ECDSA signature')
  const sequence = outer.open(TAG.sequence, 'ECDSA signature')
  outer.end()
  const raw = new Uint8Array(64)
  for (const end of [32, 64]) {
    const integer = unsignedInteger(sequence.next(TAG.integer).value, 'ECDSA signature')
    const value = integer[0] === 0 ? integer.subarray(1) : integer
    if (value.length > 32) throw new X509Error('ECDSA signature: number wider than 256 bits')
    raw.set(value, end - value.length)
  }
  sequence.end()
  return raw
}
