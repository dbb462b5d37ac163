/**
 * HPKE (RFC 9180) base mode with the one suite of version 1: X-Wing (0x647A), HKDF-SHA256 (0x0001), export-only
 * (0xFFFF). Nothing is negotiated.
 */

import { AEAD_EXPORT_ONLY, CipherSuite, type Key } from 'hpke'
import { nativeHkdf, nativeXWing } from './native.ts'

/** Bytes of an X-Wing public key. */
export const PUBLIC_KEY_BYTES = 1216
/** Bytes of an X-Wing encapsulation (`enc`). */
export const ENC_BYTES = 1120

/** The exporter of an HPKE context (RFC 9180 section 5.3). */
export interface Exporter {
  export(context: Uint8Array, length: number): Promise<Uint8Array>
}

/** What the sender gets from one encapsulation. */
export interface SenderSetup extends Exporter {
  readonly enc: Uint8Array
}

/** SetupBaseS: encapsulates to a 1216-byte public key under `info`. */
export type SetupSender = (publicKey: Uint8Array, info: Uint8Array) => Promise<SenderSetup>

const suite = new CipherSuite(nativeXWing, nativeHkdf, AEAD_EXPORT_ONLY)

/** A key pair whose private half stays inside. */
export interface KemKeyPair {
  readonly publicKey: Uint8Array
  /** SetupBaseR: decapsulates `enc` under `info`. Rejects when `enc` is not a valid encapsulation. */
  setup(enc: Uint8Array, info: Uint8Array): Promise<Exporter>
}

/** Makes a fresh X-Wing key pair in this process. */
export async function generateKemKeyPair(): Promise<KemKeyPair> {
  const pair = await suite.GenerateKeyPair(false)
  return recipient(pair.privateKey, await suite.SerializePublicKey(pair.publicKey))
}

/** The key pair of a published 32-byte X-Wing seed, for test vectors: real keys come from generateKemKeyPair(). */
export async function kemKeyPairFromSeed(seed: Uint8Array, publicKey: Uint8Array): Promise<KemKeyPair> {
  return recipient(await suite.DeserializePrivateKey(seed, false), publicKey)
}

function recipient(privateKey: Key, publicKey: Uint8Array): KemKeyPair {
  return {
    publicKey,
    setup: async (enc, info) => {
      const context = await suite.SetupRecipient(privateKey, enc, { info })
      return { export: (exporterContext, length) => context.Export(exporterContext, length) }
    },
  }
}

/** SetupBaseS with fresh randomness. */
export async function setupSender(publicKey: Uint8Array, info: Uint8Array): Promise<SenderSetup> {
  const key = await suite.DeserializePublicKey(publicKey)
  const { encapsulatedSecret, ctx } = await suite.SetupSender(key, { info })
  return { enc: encapsulatedSecret, export: (context, length) => ctx.Export(context, length) }
}
