import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import {
  type Claims,
  createEvidence,
  EpochKeys,
  type EvidenceBundle,
  encodeClaims,
  epochClaims,
  type Tee,
  toBase64,
  toHex,
} from '../attest/index.ts'
import type { GatewaySigner } from './dispatch/index.ts'

/** What this boot of the gateway is to workers: a key that lives in memory only, and evidence for it. */
export interface GatewayIdentity {
  signer: GatewaySigner
  /** Evidence over a worker's 32-byte nonce. */
  evidence(nonce: Uint8Array): Promise<EvidenceBundle>
  close(): void
}

export interface IdentityOptions {
  tee: Tee
  software: Claims['software']
  registry: Claims['registry']
  payoutAddress: string
  now: () => number
  monotonic: () => number
}

/** Makes the signing key and the epoch keys of this boot. */
export async function createIdentity(options: IdentityOptions): Promise<GatewayIdentity> {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519')
  const raw = rawKey(publicKey)
  const bootId = toHex(randomBytes(16))
  const epochs = await EpochKeys.create({ now: options.now, monotonic: options.monotonic })
  const claims = (): Claims => {
    const epoch = epochs.current()
    return {
      role: 'gateway',
      bootId,
      signingKey: toBase64(raw),
      epoch: epochClaims(epoch),
      accelerators: [],
      embedding: 'cpu',
      models: [],
      software: options.software,
      registry: options.registry,
      payoutAddress: options.payoutAddress,
    }
  }
  return {
    signer: { publicKey: raw, sign: (message) => sign(null, message, privateKey) },
    evidence: (nonce) => createEvidence({ tee: options.tee, nonce, claims: encodeClaims(claims()) }),
    close: () => epochs.close(),
  }
}

function rawKey(key: KeyObject): Uint8Array {
  return new Uint8Array(Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url'))
}
