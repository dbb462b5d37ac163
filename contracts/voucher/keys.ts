/** Ed25519 keys of channels: conversions, and the check that a key has no traps in it. */

import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { ed25519 } from '@noble/curves/ed25519.js'
import { ContractsError } from '../errors.ts'

const SPKI_HEAD = Buffer.from('302a300506032b6570032100', 'hex')
const PKCS8_HEAD = Buffer.from('302e020100300506032b657004220420', 'hex')

/** A fresh Ed25519 private key. */
export function generateKey(): KeyObject {
  return generateKeyPairSync('ed25519').privateKey
}

/** The private key of a 32-byte seed. */
export function privateKeyFromSeed(seed: Uint8Array): KeyObject {
  if (seed.length !== 32) throw new ContractsError('ERR_KEY', 'seed: 32 bytes')
  return createPrivateKey({ key: Buffer.concat([PKCS8_HEAD, seed]), format: 'der', type: 'pkcs8' })
}

/** The 32-byte seed of an Ed25519 private key. */
export function seedOf(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'pkcs8' }).subarray(PKCS8_HEAD.length)
}

/** The 32-byte public key that belongs to `key` (either half). */
export function rawPublicKey(key: KeyObject): Buffer {
  const half = key.type === 'private' ? createPublicKey(key) : key
  return half.export({ format: 'der', type: 'spki' }).subarray(SPKI_HEAD.length)
}

/** A 32-byte Ed25519 public key as a KeyObject. Keep the result: making it costs as much as a verification. */
export function publicKeyObject(raw: Uint8Array): KeyObject {
  if (raw.length !== 32) throw new ContractsError('ERR_KEY', 'public key: 32 bytes')
  return createPublicKey({ key: Buffer.concat([SPKI_HEAD, raw]), format: 'der', type: 'spki' })
}

/**
 * Refuses public keys with which verifiers disagree: not canonical, not on the curve, of small order, or with a small
 * component mixed in (then the payer can make vouchers that one verifier accepts and the chain rejects). Call it once
 * per channel, at acceptance; it takes milliseconds.
 * @throws ContractsError ERR_KEY_UNSAFE
 */
export function checkVoucherKey(raw: Uint8Array): void {
  if (raw.length !== 32) throw new ContractsError('ERR_KEY', 'public key: 32 bytes')
  let torsionFree: boolean
  let smallOrder: boolean
  try {
    const point = ed25519.Point.fromBytes(raw, false)
    smallOrder = point.isSmallOrder()
    torsionFree = point.isTorsionFree()
  } catch (cause) {
    throw new ContractsError('ERR_KEY_UNSAFE', 'public key: not a point of the curve in canonical form', {
      cause,
    })
  }
  if (smallOrder || !torsionFree) {
    throw new ContractsError('ERR_KEY_UNSAFE', 'public key: has a component of small order; make a new key')
  }
}
