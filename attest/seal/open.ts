/** The receiver's side: opens one sealed request, once. */

import { concat, equalBytes, fromHex, toHex } from '../bytes.ts'
import { randomBytes, sha256, verifyEd25519 } from '../crypto.ts'
import type { Epoch } from '../epoch/epoch.ts'
import { ENC_BYTES, type Exporter } from '../epoch/kem.ts'
import type { ReplayEntry } from '../epoch/replay.ts'
import { type Cipher, secretbox } from './cipher.ts'
import {
  AUTH_BYTES,
  COMMIT_BYTES,
  FRAME,
  LENGTH_BYTES,
  MAX_CONTEXT_BYTES,
  MAX_REQUEST_BYTES,
  RNONCE_BYTES,
} from './constants.ts'
import { contextHash, parseContext, type SealContext } from './context.ts'
import { SealError, StoredResponse } from './errors.ts'
import { FrameOpener } from './frame.ts'
import { authMessage, requestSecrets, responseSecret, sealInfo } from './keys.ts'
import { ResponseSealer } from './response-sealer.ts'

const TYPES = [FRAME.pad, FRAME.body, FRAME.final]

/** Smaller limits than those of the format, if the receiver has any. */
export interface OpenLimits {
  readonly requestBytes?: number
  readonly contextBytes?: number
}

export interface OpenOptions {
  /** Finds a live epoch by its id in hex; EpochKeys does. */
  readonly epochs: { find(id: string): Epoch | undefined }
  /**
   * The 32-byte Ed25519 key that may sign this context, or undefined to refuse it. It sees an unauthenticated
   * context: it must not act on it.
   */
  readonly authKey: (context: SealContext) => Uint8Array | undefined
  /** Wall clock, ms. */
  readonly now: () => number
  readonly limits?: OpenLimits
}

/** Replaceable parts, for vectors and tests; reached from code only. */
export interface OpenInternals {
  readonly cipher?: Cipher
  readonly random?: (length: number) => Uint8Array
}

/** A request that is whole, authentic and new. */
export interface OpenedRequest {
  readonly ctx: SealContext
  /** Hash of the clear context, 32 bytes. */
  readonly h: Uint8Array
  /** SHA-256(request). */
  readonly requestHash: Uint8Array
  /** SHA-256(auth). */
  readonly authHash: Uint8Array
  readonly body: Uint8Array
  /** The sealer of the one response. From here on every outcome is a sealed final frame. Call it once. */
  respond(): ResponseSealer
}

interface Parts {
  readonly ctx: Uint8Array
  readonly enc: Uint8Array
  readonly auth: Uint8Array
  readonly commit: Uint8Array
  readonly frames: Uint8Array
}

/**
 * Opens a sealed request. The order of the checks: lengths, context, epoch, claims, deadline, replay, auth,
 * commitment, frames, and in one step with no pause in it replay again and insertion. A refused request leaves no
 * trace, so that an altered copy cannot use up its original.
 *
 * Throws SealError; for a byte-identical repeat StoredResponse with the frames to send again.
 */
export async function openSealed(
  request: Uint8Array,
  options: OpenOptions,
  internals: OpenInternals = {},
): Promise<OpenedRequest> {
  const parts = parse(request, options.limits)
  const context = parseContext(parts.ctx)
  const h = contextHash(parts.ctx)
  const { epoch, claimsDigest } = findEpoch(context, options)
  if (options.now() > context.deadline)
    throw new SealError('ERR_SEAL_DEADLINE', 'context.deadline: has passed')
  const requestHash = sha256(request)
  const replayKey = sha256(parts.enc, h)
  refuseRepeat(epoch, replayKey, requestHash, context)
  checkAuth(context, h, parts, options)
  const exporter = await decapsulate(epoch, parts.enc, sealInfo(epoch.id, claimsDigest))
  const body = await openBody(exporter, h, parts, internals.cipher ?? secretbox)
  const rsec = await responseSecret(exporter, h)
  // No await from here to the insertion: two copies of one request cannot both pass.
  if (options.epochs.find(context.epochId) !== epoch) throw unknownEpoch()
  refuseRepeat(epoch, replayKey, requestHash, context)
  const entry = epoch.replay.insert(replayKey, requestHash)
  epoch.usedRequests.add(context.payer.key, context.requestId)
  const respond = responder({ context, rsec, enc: parts.enc, requestHash, entry, internals })
  return { ctx: context, h, requestHash, authHash: sha256(parts.auth), body, respond }
}

function parse(request: Uint8Array, limits: OpenLimits = {}): Parts {
  const requestLimit = Math.min(limits.requestBytes ?? MAX_REQUEST_BYTES, MAX_REQUEST_BYTES)
  const contextLimit = Math.min(limits.contextBytes ?? MAX_CONTEXT_BYTES, MAX_CONTEXT_BYTES)
  if (request.length > requestLimit) {
    throw new SealError(
      'ERR_SEAL_TOO_LARGE',
      `request: ${request.length} bytes, at most ${requestLimit} are allowed`,
    )
  }
  if (request.length < LENGTH_BYTES) throw new SealError('ERR_SEAL_MALFORMED', 'request: too short')
  const contextLength = new DataView(request.buffer, request.byteOffset).getUint32(0)
  if (contextLength > contextLimit) {
    throw new SealError(
      'ERR_SEAL_TOO_LARGE',
      `context: ${contextLength} bytes, at most ${contextLimit} are allowed`,
    )
  }
  let at = LENGTH_BYTES
  const take = (length: number): Uint8Array => {
    const part = request.subarray(at, at + length)
    if (part.length < length) throw new SealError('ERR_SEAL_MALFORMED', 'request: too short')
    at += length
    return part
  }
  const ctx = take(contextLength)
  const enc = take(ENC_BYTES)
  const auth = take(AUTH_BYTES)
  const commit = take(COMMIT_BYTES)
  return { ctx, enc, auth, commit, frames: request.subarray(at) }
}

function findEpoch(context: SealContext, options: OpenOptions): { epoch: Epoch; claimsDigest: Uint8Array } {
  const epoch = options.epochs.find(context.epochId)
  if (epoch?.claimsDigest === undefined) throw unknownEpoch()
  if (toHex(epoch.claimsDigest) !== context.claimsDigest) {
    throw new SealError(
      'ERR_EPOCH_CLAIMS',
      'context.claimsDigest: is not that of the epoch, verify and seal again',
    )
  }
  return { epoch, claimsDigest: epoch.claimsDigest }
}

function unknownEpoch(): SealError {
  return new SealError(
    'ERR_EPOCH_UNKNOWN',
    'context.epochId: unknown or over, take the current epoch and seal again',
  )
}

function refuseRepeat(
  epoch: Epoch,
  replayKey: Uint8Array,
  requestHash: Uint8Array,
  context: SealContext,
): void {
  const entry = epoch.replay.find(replayKey)
  if (entry !== undefined) {
    if (!equalBytes(entry.requestHash, requestHash)) {
      throw new SealError('ERR_REPLAY', 'request: its seal was used with other frames')
    }
    if (entry.response !== undefined) throw new StoredResponse(entry.response)
    throw new SealError(
      'ERR_REPLAY',
      entry.running ? 'request: is being answered' : 'request: was answered and the answer is not kept',
    )
  }
  if (epoch.usedRequests.has(context.payer.key, context.requestId)) {
    throw new SealError('ERR_REPLAY', 'context.requestId: this payer used it before, choose another')
  }
  if (epoch.replay.full || epoch.usedRequests.full) {
    throw new SealError('ERR_REPLAY_FULL', 'epoch: accepts no more requests, take the next epoch')
  }
}

function checkAuth(context: SealContext, h: Uint8Array, parts: Parts, options: OpenOptions): void {
  const key = options.authKey(context)
  if (key === undefined || !verifyEd25519(key, authMessage(h, parts.enc), parts.auth)) {
    throw new SealError('ERR_SEAL_AUTH', 'auth: not signed by a key that may spend for context.payer')
  }
}

async function decapsulate(epoch: Epoch, enc: Uint8Array, info: Uint8Array): Promise<Exporter> {
  try {
    return await epoch.setup(enc, info)
  } catch (cause) {
    if (epoch.erased) throw unknownEpoch()
    throw commitmentError(cause)
  }
}

// A bad encapsulation and a wrong key get one answer.
function commitmentError(cause?: unknown): SealError {
  return new SealError('ERR_SEAL_COMMITMENT', 'request: not sealed to this epoch and context', { cause })
}

async function openBody(
  exporter: Exporter,
  h: Uint8Array,
  parts: Parts,
  cipher: Cipher,
): Promise<Uint8Array> {
  const secrets = await requestSecrets(exporter, h)
  if (!equalBytes(parts.commit, secrets.commit)) throw commitmentError()
  const opener = new FrameOpener(secrets, cipher, TYPES)
  const frames = opener.push(parts.frames, true)
  opener.end()
  return concat(...frames.map((frame) => frame.content))
}

function responder(made: {
  context: SealContext
  rsec: Uint8Array
  enc: Uint8Array
  requestHash: Uint8Array
  entry: ReplayEntry
  internals: OpenInternals
}): () => ResponseSealer {
  const { context, rsec, requestHash, entry, internals } = made
  // A copy: the view would keep the whole request in memory while the response runs.
  const enc = made.enc.slice()
  let used = false
  return () => {
    if (used) throw new SealError('ERR_SEAL_STATE', 'respond(): one request has one response')
    used = true
    return new ResponseSealer({
      sealId: fromHex(context.sealId),
      rsec,
      enc,
      rnonce: (internals.random ?? randomBytes)(RNONCE_BYTES),
      requestHash,
      padded: context.responseMode.padding === 'bucket',
      cipher: internals.cipher ?? secretbox,
      entry,
    })
  }
}
