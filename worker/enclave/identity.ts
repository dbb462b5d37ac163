import { generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto'
import { toBase64, toHex } from '../../attest/bytes.ts'
import type { Epoch, EpochKeys } from '../../attest/epoch/index.ts'
import { ChrysalisError } from '../../attest/errors.ts'
import {
  type Claims,
  claimsDigest,
  createEvidence,
  type EvidenceBundle,
  encodeClaims,
  epochClaims,
  type Tee,
} from '../../attest/evidence/index.ts'
import type { ModelInfo } from '../engine/index.ts'

/** Evidence with the digest of its claims. */
export interface FreshEvidence {
  bundle: EvidenceBundle
  /** 32 bytes. */
  claimsDigest: Uint8Array
  /** 32 hex digits. */
  epochId: string
}

export interface IdentityOptions {
  tee: Tee
  /** The GPUs that the TEE has evidence of. */
  accelerators: Claims['accelerators']
  epochs: EpochKeys
  model: ModelInfo
  software: Claims['software']
  registry: Claims['registry']
  payoutAddress: string
}

/** What claims and measurements say of a model. */
export function claimedModel(model: ModelInfo): Claims['models'][number] {
  const { quantization, contextLength, tokenizerSha256, templateSha256, id, sha256, languages } = model
  return {
    id,
    sha256,
    quantization,
    contextLength,
    tokenizerSha256,
    templateSha256,
    ...(languages && { languages: [...languages] }),
  }
}

/** Who this enclave is for as long as it runs: boot id, signing key (in memory only), and the claims of each epoch. */
export class Identity {
  /** 32 hex digits; new at each start. */
  readonly bootId = toHex(randomBytes(16))
  /** Ed25519, 32 bytes. */
  readonly signingKey: Uint8Array
  readonly privateKey: KeyObject
  readonly #options: IdentityOptions
  readonly #claims = new WeakMap<Epoch, Uint8Array>()

  constructor(options: IdentityOptions) {
    this.#options = options
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    this.privateKey = privateKey
    this.signingKey = new Uint8Array(Buffer.from(String(publicKey.export({ format: 'jwk' }).x), 'base64url'))
    this.#bind(options.epochs.current())
    options.epochs.onRotate((epoch) => this.#bind(epoch))
  }

  /** Evidence of the newest epoch over `nonce` (32 bytes). */
  async evidence(nonce: Uint8Array): Promise<FreshEvidence> {
    const epoch = this.#options.epochs.current()
    const claims = this.#claims.get(epoch)
    if (claims === undefined) throw new ChrysalisError('ERR_CLAIMS', 'the epoch has no claims')
    const bundle = await createEvidence({ tee: this.#options.tee, nonce, claims })
    return { bundle, claimsDigest: claimsDigest(claims), epochId: epoch.id }
  }

  /** Returns 64 bytes. */
  sign(message: Uint8Array): Uint8Array {
    return new Uint8Array(sign(null, message, this.privateKey))
  }

  #bind(epoch: Epoch): void {
    const { model, accelerators, software, registry, payoutAddress } = this.#options
    const claims = encodeClaims({
      role: 'worker',
      bootId: this.bootId,
      signingKey: toBase64(this.signingKey),
      epoch: epochClaims(epoch),
      accelerators,
      // llama.cpp keeps the embedding table in the guest's memory, also when all layers lie on a GPU (worker/README.md).
      embedding: 'cpu',
      models: [claimedModel(model)],
      software,
      registry,
      payoutAddress,
    })
    epoch.bindClaims(claimsDigest(claims))
    this.#claims.set(epoch, claims)
  }
}
