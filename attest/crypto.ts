/**
 * The few cryptographic operations that come from node:crypto. Everything else in seal and receipt is plain
 * TypeScript, so a browser build replaces this one file.
 */

import { createHash, createHmac, createPublicKey, hkdfSync, randomFillSync, verify } from 'node:crypto'
import { concat, fromHex, toBase64Url, toHex } from './bytes.ts'
import { ChrysalisError } from './errors.ts'

/** SHA-256 over the concatenation of the parts; 32 bytes. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const hash = createHash('sha256')
  for (const part of parts) hash.update(part)
  return new Uint8Array(hash.digest())
}

/** HMAC-SHA-256; 32 bytes. */
export function hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHmac('sha256', key).update(message).digest())
}

/** HKDF-Expand(HKDF-Extract(salt, ikm), info, length) with SHA-256 (RFC 5869). */
export function hkdfSha256(
  ikm: Uint8Array,
  salt: Uint8Array,
  info: Uint8Array,
  length: number,
): Uint8Array<ArrayBuffer> {
  return new Uint8Array(hkdfSync('sha256', ikm, salt, info, length))
}

/** HKDF-Expand alone (RFC 5869 section 2.3), at most 255·32 bytes. */
export function hkdfExpandSha256(prk: Uint8Array, info: Uint8Array, length: number): Uint8Array<ArrayBuffer> {
  const blocks = Math.ceil(length / 32)
  if (blocks > 255) throw new ChrysalisError('ERR_CRYPTO_INPUT', `HKDF: ${length} bytes are more than 8160`)
  const out = new Uint8Array(blocks * 32)
  let previous: Uint8Array = new Uint8Array(0)
  for (let i = 1; i <= blocks; i++) {
    previous = hmacSha256(prk, concat(previous, info, Uint8Array.of(i)))
    out.set(previous, (i - 1) * 32)
  }
  return out.slice(0, length)
}

/** Fresh bytes of the system's generator. */
export function randomBytes(length: number): Uint8Array<ArrayBuffer> {
  return randomFillSync(new Uint8Array(length))
}

// y coordinates of the points of small order, canonical and not (sign bit cleared). Such a "key" would accept
// signatures that nobody made, so no message would be bound to it. Node's OpenSSL refuses them too; browsers differ.
const SMALL_ORDER = new Set([
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0100000000000000000000000000000000000000000000000000000000000000',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
])

/** Whether 32 bytes encode an Ed25519 point of small order, which no honest key is. */
export function isSmallOrderKey(publicKey: Uint8Array): boolean {
  const y = publicKey.slice()
  const last = y.length - 1
  y[last] = (y[last] ?? 0) & 0x7f
  return SMALL_ORDER.has(toHex(y))
}

/**
 * Verifies an Ed25519 signature (64 bytes) by a raw 32-byte public key. Never throws: a malformed key or
 * signature, and a key of small order, is simply false.
 */
export function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== 32 || signature.length !== 64 || isSmallOrderKey(publicKey)) return false
  try {
    const key = createPublicKey({
      key: { kty: 'OKP', crv: 'Ed25519', x: toBase64Url(publicKey) },
      format: 'jwk',
    })
    return verify(null, message, key, signature)
  } catch {
    return false
  }
}

const ED25519_PKCS8 = fromHex('302e020100300506032b657004220420')

/** PKCS #8 form of a 32-byte Ed25519 seed, for createPrivateKey({ format: 'der', type: 'pkcs8' }). */
export function ed25519Pkcs8(seed: Uint8Array): Uint8Array<ArrayBuffer> {
  if (seed.length !== 32) throw new ChrysalisError('ERR_CRYPTO_INPUT', 'an Ed25519 seed is 32 bytes')
  return concat(ED25519_PKCS8, seed)
}
