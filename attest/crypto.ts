/**
 * The few cryptographic operations that come from node:crypto. Everything else in seal and receipt is plain
 * TypeScript, so a browser build replaces this one file.
 */

import {
  createHash,
  createPublicKey,
  hash,
  hkdfSync,
  type KeyObject,
  randomFillSync,
  verify,
} from 'node:crypto'
import { concat, fromHex, toBase64Url, toHex } from './bytes.ts'
import { ChrysalisError } from './errors.ts'

/** Up to this many bytes joining the parts costs less than a hash object does. */
const JOINED_BYTES = 8192

/** SHA-256 over the concatenation of the parts; 32 bytes. */
export function sha256(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const [first, ...rest] = parts
  if (first !== undefined && rest.length === 0) return digest(first)
  let length = 0
  for (const part of parts) length += part.length
  if (length <= JOINED_BYTES) return digest(join(parts, length))
  const state = createHash('sha256')
  for (const part of parts) state.update(part)
  return new Uint8Array(state.digest())
}

const joined = new Uint8Array(JOINED_BYTES)

/** The parts behind each other, in memory that the next call uses again. */
function join(parts: readonly Uint8Array[], length: number): Uint8Array {
  let offset = 0
  for (const part of parts) {
    joined.set(part, offset)
    offset += part.length
  }
  return joined.subarray(0, length)
}

function digest(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(hash('sha256', bytes, 'buffer'))
}

const HMAC_BLOCK_BYTES = 64

/**
 * HMAC-SHA-256 (RFC 2104); 32 bytes. Of two one-shot hashes: node:crypto makes a key object of every raw key, which takes
 * four times as long as the hashing.
 */
export function hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array<ArrayBuffer> {
  const short = key.length > HMAC_BLOCK_BYTES ? digest(key) : key
  const inner = new Uint8Array(HMAC_BLOCK_BYTES + message.length).fill(0x36, 0, HMAC_BLOCK_BYTES)
  const outer = new Uint8Array(HMAC_BLOCK_BYTES + 32).fill(0x5c, 0, HMAC_BLOCK_BYTES)
  for (const [i, byte] of short.entries()) {
    inner[i] = 0x36 ^ byte
    outer[i] = 0x5c ^ byte
  }
  inner.set(message, HMAC_BLOCK_BYTES)
  outer.set(digest(inner), HMAC_BLOCK_BYTES)
  const mac = digest(outer)
  inner.fill(0)
  outer.fill(0)
  return mac
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
  // A Buffer's own slice would be a view of the caller's key.
  const y = new Uint8Array(publicKey)
  const last = y.length - 1
  y[last] = (y[last] ?? 0) & 0x7f
  return SMALL_ORDER.has(toHex(y))
}

/** Keys that were read of late; those who sign for us are few, and reading a key takes a sixth of verifying with it. */
const MOST_KEYS = 256
const keys = new Map<string, KeyObject>()

/** @returns undefined for what is no key, or one of small order */
function readKey(publicKey: Uint8Array): KeyObject | undefined {
  if (publicKey.length !== 32) return undefined
  const x = toBase64Url(publicKey)
  const known = keys.get(x)
  if (known) return known
  if (isSmallOrderKey(publicKey)) return undefined
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
  const [oldest] = keys.keys()
  if (oldest !== undefined && keys.size >= MOST_KEYS) keys.delete(oldest)
  keys.set(x, key)
  return key
}

/**
 * Verifies an Ed25519 signature (64 bytes) by a raw 32-byte public key. Never throws: a malformed key or
 * signature, and a key of small order, is simply false.
 */
export function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (signature.length !== 64) return false
  try {
    const key = readKey(publicKey)
    return key !== undefined && verify(null, message, key, signature)
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
