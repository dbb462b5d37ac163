/**
 * X-Wing and HKDF-SHA256 on node:crypto, in the shapes that the hpke library plugs in. The key schedule and exporter
 * stay the library's. Against its own WebCrypto parts this saves four fifths of the time and Node's warnings about
 * experimental interfaces; tests hold the two against each other and against the published vector. A browser build
 * takes the library's parts instead.
 */

import {
  createHash,
  createPrivateKey,
  createPublicKey,
  decapsulate,
  diffieHellman,
  encapsulate,
  generateKeyPairSync,
  type KeyObject,
} from 'node:crypto'
import { type KDF, type KEM, type Key, NotSupportedError } from 'hpke'
import { concat, fromHex } from '../bytes.ts'
import { hkdfExpandSha256, hmacSha256 } from '../crypto.ts'

const NAME = 'MLKEM768-X25519'
const ML_KEM_PUBLIC_BYTES = 1184
const ML_KEM_CIPHERTEXT_BYTES = 1088
const X25519_BYTES = 32

// DER in front of the raw keys.
const ML_KEM_SPKI = fromHex('308204b2300b0609608648016503040402038204a100')
const ML_KEM_SEED_PKCS8 = fromHex('3054020100300b060960864801650304040204428040')
const X25519_SPKI = fromHex('302a300506032b656e032100')
const X25519_PKCS8 = fromHex('302e020100300506032b656e04220420')
const LABEL = fromHex('5c2e2f2f5e5c')

/** Both halves of a public or private X-Wing key. */
class NativeKey implements Key {
  readonly algorithm = { name: NAME }
  readonly extractable: boolean
  readonly type: 'public' | 'private'
  readonly mlKem: KeyObject
  readonly x25519: KeyObject
  /** Raw X25519 public key, which the combiner hashes. */
  readonly x25519Public: Uint8Array

  constructor(type: 'public' | 'private', mlKem: KeyObject, x25519: KeyObject) {
    this.type = type
    this.extractable = type === 'public'
    this.mlKem = mlKem
    this.x25519 = x25519
    this.x25519Public = rawPublic(type === 'private' ? createPublicKey(x25519) : x25519, X25519_BYTES)
  }
}

function rawPublic(key: KeyObject, bytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(key.export({ format: 'der', type: 'spki' }).subarray(-bytes))
}

function importPublic(prefix: Uint8Array, raw: Uint8Array): KeyObject {
  return createPublicKey({ key: Buffer.from(concat(prefix, raw)), format: 'der', type: 'spki' })
}

function importPrivate(prefix: Uint8Array, raw: Uint8Array): KeyObject {
  const der = Buffer.from(concat(prefix, raw))
  try {
    return createPrivateKey({ key: der, format: 'der', type: 'pkcs8' })
  } finally {
    der.fill(0)
  }
}

function native(key: Key): NativeKey {
  if (!(key instanceof NativeKey)) throw new TypeError('the key is of another implementation')
  return key
}

// ss = SHA3-256(ss_M || ss_X || ct_X || pk_X || label); the parts are erased.
function combine(ssM: Buffer, ssX: Buffer, ctX: Uint8Array, pkX: Uint8Array): Uint8Array<ArrayBuffer> {
  const hash = createHash('sha3-256').update(ssM).update(ssX).update(ctX).update(pkX).update(LABEL)
  const shared = new Uint8Array(hash.digest())
  ssM.fill(0)
  ssX.fill(0)
  return shared
}

function unsupported(what: string): never {
  throw new NotSupportedError(`${what} is not needed here`)
}

/** X-Wing, KEM 0x647A (draft-connolly-cfrg-xwing-kem). Private keys are not serialized. */
export const nativeXWing = (): KEM => ({
  id: 0x647a,
  type: 'KEM',
  name: NAME,
  Nsecret: 32,
  Nenc: ML_KEM_CIPHERTEXT_BYTES + X25519_BYTES,
  Npk: ML_KEM_PUBLIC_BYTES + X25519_BYTES,
  Nsk: 32,
  DeriveKeyPair: async () => unsupported('deriving key pairs'),
  SerializePrivateKey: async () => unsupported('serializing private keys'),
  // Both halves are made inside OpenSSL: no seed is ever in JavaScript's memory.
  GenerateKeyPair: async () => {
    const mlKem = generateKeyPairSync('ml-kem-768')
    const x25519 = generateKeyPairSync('x25519')
    return {
      publicKey: new NativeKey('public', mlKem.publicKey, x25519.publicKey),
      privateKey: new NativeKey('private', mlKem.privateKey, x25519.privateKey),
    }
  },
  SerializePublicKey: async (key) => {
    const { mlKem, x25519Public } = native(key)
    return concat(rawPublic(mlKem, ML_KEM_PUBLIC_BYTES), x25519Public)
  },
  DeserializePublicKey: async (bytes) =>
    new NativeKey(
      'public',
      importPublic(ML_KEM_SPKI, bytes.subarray(0, ML_KEM_PUBLIC_BYTES)),
      importPublic(X25519_SPKI, bytes.subarray(ML_KEM_PUBLIC_BYTES)),
    ),
  DeserializePrivateKey: async (seed) => {
    const expanded = createHash('shake256', { outputLength: 96 }).update(seed).digest()
    const mlKem = importPrivate(ML_KEM_SEED_PKCS8, expanded.subarray(0, 64))
    const x25519 = importPrivate(X25519_PKCS8, expanded.subarray(64))
    expanded.fill(0)
    return new NativeKey('private', mlKem, x25519)
  },
  Encap: async (key) => {
    const { mlKem, x25519, x25519Public } = native(key)
    const { sharedKey, ciphertext } = encapsulate(mlKem)
    const ephemeral = generateKeyPairSync('x25519')
    const ctX = rawPublic(ephemeral.publicKey, X25519_BYTES)
    const ssX = diffieHellman({ privateKey: ephemeral.privateKey, publicKey: x25519 })
    return { shared_secret: combine(sharedKey, ssX, ctX, x25519Public), enc: concat(ciphertext, ctX) }
  },
  Decap: async (enc, key) => {
    const { mlKem, x25519, x25519Public } = native(key)
    const ctX = enc.subarray(ML_KEM_CIPHERTEXT_BYTES)
    const ssX = diffieHellman({ privateKey: x25519, publicKey: importPublic(X25519_SPKI, ctX) })
    return combine(decapsulate(mlKem, enc.subarray(0, ML_KEM_CIPHERTEXT_BYTES)), ssX, ctX, x25519Public)
  },
})

/** HKDF-SHA256, KDF 0x0001 (RFC 5869). */
export const nativeHkdf = (): KDF => ({
  id: 0x0001,
  type: 'KDF',
  name: 'HKDF-SHA256',
  stages: 2,
  Nh: 32,
  Derive: async () => unsupported('one-stage derivation'),
  Extract: async (salt, ikm) => hmacSha256(salt, ikm),
  Expand: async (prk, info, length) => hkdfExpandSha256(prk, info, length),
})
