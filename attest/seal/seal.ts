/** The sender's side: one body sealed to one epoch key. */

import { concat, fromHex, toHex, u32be } from '../bytes.ts'
import { randomBytes, sha256 } from '../crypto.ts'
import { epochId } from '../epoch/epoch.ts'
import { SENDER_MARGIN_MS } from '../epoch/epoch-keys.ts'
import { ENC_BYTES, PUBLIC_KEY_BYTES, type SetupSender, setupSender } from '../epoch/kem.ts'
import { type Cipher, secretbox } from './cipher.ts'
import {
  AUTH_BYTES,
  COMMIT_BYTES,
  FRAME,
  FRAME_OVERHEAD_BYTES,
  LENGTH_BYTES,
  MAX_CONTENT_BYTES,
  MAX_FRAME_BYTES,
  MAX_REQUEST_BYTES,
  REQUEST_BUCKET_BYTES,
  SEAL_ID_BYTES,
} from './constants.ts'
import { contextHash, encodeContext, type SealContext } from './context.ts'
import { SealError } from './errors.ts'
import { bucket, FrameSealer } from './frame.ts'
import { authMessage, requestSecrets, responseSecret, sealInfo } from './keys.ts'
import { ResponseOpener } from './response-opener.ts'
import type { SenderSessions } from './sessions.ts'

/** What the sender knows, from verified evidence, about the epoch that it seals to. */
export interface SealEpoch {
  /** 32 hex digits. */
  readonly id: string
  /** X-Wing public key, 1216 bytes. */
  readonly publicKey: Uint8Array
  /** SHA-256 of the verified claims, 32 bytes. */
  readonly claimsDigest: Uint8Array
  /** Wall time in ms, from the claims; sealing stops 30 s before it. */
  readonly notAfter: number
}

/** The part of the context that the caller chooses; seal() adds the version, sealId, epochId and claimsDigest. */
export type SealRequestContext = Omit<SealContext, 'v' | 'sealId' | 'epochId' | 'claimsDigest'>

export interface SealOptions {
  readonly epoch: SealEpoch
  readonly context: SealRequestContext
  readonly body: Uint8Array
  /** Ed25519 by the key that `context.payer` names; returns 64 bytes. */
  readonly sign: (message: Uint8Array) => Uint8Array | Promise<Uint8Array>
  /** Wall clock, ms. */
  readonly now: () => number
  /** Contexts that serve many requests; absent: one for this request alone. */
  readonly sessions?: SenderSessions
}

/** Replaceable parts, for vectors and tests; reached from code only. */
export interface SealInternals {
  readonly cipher?: Cipher
  readonly random?: (length: number) => Uint8Array
  readonly setupSender?: SetupSender
}

export interface SealedRequest {
  /** The bytes to send. */
  readonly request: Uint8Array
  readonly ctx: SealContext
  /** Hash of the clear context, 32 bytes. */
  readonly h: Uint8Array
  /** SHA-256(request). */
  readonly requestHash: Uint8Array
  /** SHA-256(auth). */
  readonly authHash: Uint8Array
  /** Opens the one response to this request. */
  readonly open: ResponseOpener
}

/**
 * Seals `body` to `epoch`. Throws ERR_SEAL_CONTEXT and ERR_SEAL_TOO_LARGE for what no receiver would take,
 * ERR_EPOCH_UNKNOWN when the epoch ends within 30 s, and ERR_SEAL_AUTH when `sign` returns no signature.
 */
export async function seal(options: SealOptions, internals: SealInternals = {}): Promise<SealedRequest> {
  const { epoch, body } = options
  checkEpoch(epoch, options.now())
  const cipher = internals.cipher ?? secretbox
  const context: SealContext = {
    ...options.context,
    v: 1,
    sealId: toHex((internals.random ?? randomBytes)(SEAL_ID_BYTES)),
    epochId: epoch.id,
    claimsDigest: toHex(epoch.claimsDigest),
  }
  const ctx = encodeContext(context)
  const h = contextHash(ctx)
  const padded = context.responseMode.padding === 'bucket'
  const units = layout(LENGTH_BYTES + ctx.length + ENC_BYTES + AUTH_BYTES + COMMIT_BYTES, body.length, padded)
  const begin = internals.setupSender ?? options.sessions?.setup ?? setupSender
  const setup = await begin(epoch.publicKey, sealInfo(epoch.id, epoch.claimsDigest))
  const secrets = await requestSecrets(setup, h)
  const rsec = await responseSecret(setup, h)
  const auth = await options.sign(authMessage(h, setup.enc))
  if (auth.length !== AUTH_BYTES)
    throw new SealError('ERR_SEAL_AUTH', 'sign: must return 64 bytes of Ed25519')
  const head = [u32be(ctx.length), ctx, setup.enc, auth, secrets.commit.slice()]
  const request = concat(...head, ...sealBody(new FrameSealer(secrets, cipher), body, units))
  const requestHash = sha256(request)
  const open = new ResponseOpener({
    sealId: fromHex(context.sealId),
    rsec,
    enc: setup.enc,
    requestHash,
    cipher,
  })
  return { request, ctx: context, h, requestHash, authHash: sha256(auth), open }
}

function checkEpoch(epoch: SealEpoch, now: number): void {
  if (epoch.publicKey.length !== PUBLIC_KEY_BYTES || epoch.claimsDigest.length !== 32) {
    throw new SealError('ERR_EPOCH_UNKNOWN', 'epoch: publicKey is 1216 bytes and claimsDigest 32')
  }
  if (toHex(epochId(epoch.publicKey)) !== epoch.id) {
    throw new SealError('ERR_EPOCH_UNKNOWN', 'epoch.id: is not that of epoch.publicKey')
  }
  if (!(now <= epoch.notAfter - SENDER_MARGIN_MS)) {
    throw new SealError('ERR_EPOCH_UNKNOWN', 'epoch: ends within 30 s, take the next one')
  }
}

/**
 * Wire lengths of the request's frames. Their sum is the bucket: it leaves out the clear part, whose length varies
 * and is seen anyway, so that the edges between buckets lie at the same body lengths for every context. The topmost
 * bucket is what the longest request has room for.
 */
function layout(head: number, body: number, padded: boolean): number[] {
  const most = MAX_REQUEST_BYTES - head
  const exact = body + Math.max(1, Math.ceil(body / MAX_CONTENT_BYTES)) * FRAME_OVERHEAD_BYTES
  let bytes = exact
  if (padded) {
    bytes = bucket(exact, REQUEST_BUCKET_BYTES)
    while (capacity(bytes) < body) bytes *= 2
    bytes = Math.min(bytes, most)
  }
  if (exact > most || capacity(bytes) < body) {
    throw new SealError(
      'ERR_SEAL_TOO_LARGE',
      `request: ${head + exact} bytes sealed, at most ${MAX_REQUEST_BYTES} are allowed`,
    )
  }
  return split(bytes)
}

function capacity(bytes: number): number {
  return bytes - Math.ceil(bytes / MAX_FRAME_BYTES) * FRAME_OVERHEAD_BYTES
}

function split(bytes: number): number[] {
  const units: number[] = new Array(Math.floor(bytes / MAX_FRAME_BYTES)).fill(MAX_FRAME_BYTES)
  const rest = bytes % MAX_FRAME_BYTES
  if (rest === 0) return units
  if (rest >= FRAME_OVERHEAD_BYTES) return [...units, rest]
  // Too little for a frame of its own: the one before gives up what is missing.
  const missing = FRAME_OVERHEAD_BYTES - rest
  return [...units.slice(0, -1), MAX_FRAME_BYTES - missing, FRAME_OVERHEAD_BYTES]
}

function* sealBody(sealer: FrameSealer, body: Uint8Array, units: readonly number[]): Generator<Uint8Array> {
  let rest = body
  for (const [i, unit] of units.entries()) {
    const content = rest.subarray(0, unit - FRAME_OVERHEAD_BYTES)
    rest = rest.subarray(content.length)
    yield sealer.seal(i === units.length - 1 ? FRAME.final : FRAME.body, content, unit)
  }
}
