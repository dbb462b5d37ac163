import { randomBytes } from 'node:crypto'
import { fromBase64, fromHex, toHex } from '../../attest/bytes.ts'
import { verifyEd25519 } from '../../attest/crypto.ts'
import {
  type Claims,
  failedFactors,
  type RegistrySubject,
  type VerifyOptions,
  verifyEvidence,
} from '../../attest/evidence/index.ts'
import type { RegistryView } from '../../attest/policy/index.ts'
import {
  type GatewayMessageOf,
  joinMessage,
  reattestMessage,
  type WorkerMessageOf,
} from '../../worker/protocol/link.ts'
import { isKnown } from '../known.ts'
import type { SessionHost } from './host.ts'
import type { VerifiedEpoch, WorkerIdentity } from './types.ts'

export type RefusalCode = GatewayMessageOf<'refused'>['code']

/** Why a worker gets no work; `factors` names what failed in its evidence. */
export interface Refusal {
  readonly refused: RefusalCode
  readonly factors: readonly string[]
  readonly reason: string
}

/** Evidence that stood every check. */
export interface Attested {
  readonly refused?: undefined
  readonly identity: WorkerIdentity
  readonly epoch: VerifiedEpoch
  /** What a registry can be asked again. */
  readonly subject?: RegistrySubject | undefined
}

/** What evidence is judged by. */
export type Judging = Pick<VerifyOptions, 'policy' | 'now' | 'gpuTools' | 'registry'>

/** Judges as a pool does, by what its registry says at this moment; nobody while that says nothing. */
export async function judgedBy(
  { policy, gpuTools, clock, registry }: Pick<SessionHost, 'policy' | 'gpuTools' | 'clock' | 'registry'>,
  judgement: (judging: Judging) => Promise<Attested | Refusal>,
): Promise<Attested | Refusal> {
  const plain = { policy, gpuTools, now: () => clock.now() }
  if (!registry) return judgement(plain)
  let view: RegistryView
  try {
    view = registry.view()
  } catch (error) {
    if (!isKnown(error)) throw error
    return refusal('busy', error.message)
  }
  return judgement({ ...plain, registry: view })
}

/** A refusal that is not about evidence. */
export function refusal(refused: RefusalCode, reason: string): Refusal {
  return { refused, factors: [], reason }
}

/** A nonce that evidence has to answer: 32 bytes. */
export function freshNonce(): Uint8Array {
  return new Uint8Array(randomBytes(32))
}

/** Judges a join: evidence over our nonce, and the signature that ties its enclave to this connection. */
export async function judgeJoin(
  join: WorkerMessageOf<'join'>,
  nonce: Uint8Array,
  judging: Judging,
): Promise<Attested | Refusal> {
  const workerNonce = fromBase64(join.nonce)
  return judge(join, nonce, judging, (claimsDigest) =>
    joinMessage({ challengeNonce: nonce, workerNonce, claimsDigest, payoutKey: join.payoutKey }),
  )
}

/** Judges the evidence of a later epoch; the caller compares the identity with the one that joined. */
export async function judgeReattest(
  message: WorkerMessageOf<'evidence'>,
  nonce: Uint8Array,
  judging: Judging,
): Promise<Attested | Refusal> {
  return judge(message, nonce, judging, (claimsDigest) => reattestMessage(nonce, claimsDigest))
}

async function judge(
  message: { evidence: unknown; signature: string },
  nonce: Uint8Array,
  judging: Judging,
  signed: (claimsDigest: Uint8Array) => Uint8Array,
): Promise<Attested | Refusal> {
  const verdict = await verifyEvidence(message.evidence, { ...judging, nonce })
  if (verdict.verdict !== 'accept') {
    return {
      refused: 'evidence',
      factors: failedFactors(verdict),
      reason: 'the evidence does not meet the policy',
    }
  }
  const { claims, claimsDigest } = verdict
  if (!claims || !claimsDigest || claims.role !== 'worker') {
    return { refused: 'evidence', factors: ['role.expected'], reason: 'the evidence is not that of a worker' }
  }
  const signingKey = fromBase64(claims.signingKey)
  if (!verifyEd25519(signingKey, signed(fromHex(claimsDigest)), fromBase64(message.signature))) {
    return refusal('signature', 'the signature is not by the signing key of the claims over this connection')
  }
  return {
    identity: identityOf(claims, signingKey, verdict.tee),
    epoch: epochOf(claims, claimsDigest),
    subject: verdict.subject,
  }
}

function identityOf(claims: Claims, signingKey: Uint8Array, tee: string): WorkerIdentity {
  return {
    workerId: toHex(signingKey),
    signingKey,
    bootId: claims.bootId,
    tee,
    models: claims.models.map(({ id, sha256, quantization, contextLength, languages }) => ({
      id,
      sha256,
      quantization,
      contextLength,
      ...(languages && { languages }),
    })),
    payoutAddress: claims.payoutAddress,
  }
}

function epochOf(claims: Claims, claimsDigest: string): VerifiedEpoch {
  const { id, publicKey, notBefore, notAfter } = claims.epoch
  return { id, publicKey: fromBase64(publicKey), claimsDigest, notBefore, notAfter }
}

/** Whether two identities are one boot of one enclave with the same offer; what may differ is the epoch. */
export function sameIdentity(a: WorkerIdentity, b: WorkerIdentity): boolean {
  const { signingKey: _a, ...restA } = a
  const { signingKey: _b, ...restB } = b
  return JSON.stringify(restA) === JSON.stringify(restB)
}
