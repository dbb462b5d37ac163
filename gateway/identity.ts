import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { toBase64, toHex } from '../attest/bytes.ts'
import { type Epoch, EpochKeys } from '../attest/epoch/index.ts'
import {
  type Claims,
  createEvidence,
  type EvidenceBundle,
  encodeClaims,
  epochClaims,
  type Tee,
} from '../attest/evidence/index.ts'
import type { GatewaySigner } from './dispatch/index.ts'

/** What this boot of the gateway is to workers: a key that lives in memory only, and evidence for it. */
export interface GatewayIdentity {
  signer: GatewaySigner
  /** Evidence over a worker's 32-byte nonce. */
  evidence(nonce: Uint8Array): Promise<EvidenceBundle>
  /** Evidence of the present epoch for those who name no nonce; made once for each epoch. */
  stapled(): Promise<EvidenceBundle>
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
  const claimsOf = (epoch: Epoch): Claims => {
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
  const evidence = (nonce: Uint8Array) =>
    createEvidence({ tee: options.tee, nonce, claims: encodeClaims(claimsOf(epochs.current())) })
  let kept: { epoch: Epoch; bundle: Promise<EvidenceBundle> } | undefined
  const stapled = () => {
    const epoch = epochs.current()
    if (kept?.epoch === epoch) return kept.bundle
    const bundle = evidence(new Uint8Array(randomBytes(32)))
    const made = { epoch, bundle }
    kept = made
    // What failed is tried again by the next one who asks.
    bundle.catch(() => {
      if (kept === made) kept = undefined
    })
    return bundle
  }
  return {
    signer: { publicKey: raw, sign: (message) => sign(null, message, privateKey) },
    evidence,
    stapled,
    close: () => epochs.close(),
  }
}

function rawKey(key: KeyObject): Uint8Array {
  return new Uint8Array(Buffer.from(key.export({ format: 'jwk' }).x ?? '', 'base64url'))
}
