import { ChrysalisError } from '../errors.ts'

/** Stable codes of SealError, each with the HTTP status that a clear hint about it carries. */
const STATUS = {
  /** The bytes are no sealed request. */
  ERR_SEAL_MALFORMED: 400,
  /** A length is over its limit. */
  ERR_SEAL_TOO_LARGE: 413,
  /** The clear context is not one of version 1. */
  ERR_SEAL_CONTEXT: 400,
  /** The request's deadline has passed. */
  ERR_SEAL_DEADLINE: 408,
  /** The epoch is unknown or over, or not yet (or no longer) to be used: verify again and seal again. */
  ERR_EPOCH_UNKNOWN: 412,
  /** The context names other claims than those of its epoch: verify again and seal again. */
  ERR_EPOCH_CLAIMS: 412,
  /** No key may sign this context, or the signature is wrong. */
  ERR_SEAL_AUTH: 401,
  /** The key that the sender had is not the key that the receiver has. */
  ERR_SEAL_COMMITMENT: 400,
  /** A frame is altered, misplaced, malformed or too large. */
  ERR_FRAME: 400,
  /** A stream has used up its 2^32 frames. */
  ERR_FRAME_INDEX: 400,
  /** The stream ended before its final frame. */
  ERR_STREAM_TRUNCATED: 502,
  /** Bytes follow the final frame. */
  ERR_STREAM_TRAILING: 502,
  /** The response belongs to another seal. */
  ERR_RESPONSE_SEAL_ID: 502,
  /** An object was used out of order; a bug of the caller. */
  ERR_SEAL_STATE: 500,
  /** These very bytes were answered before; `frames` holds the stored ciphertext. */
  ERR_REPLAY_STORED: 200,
  /** The seal or the (payer key, requestId) was used before. */
  ERR_REPLAY: 409,
  /** The epoch accepts no more requests. */
  ERR_REPLAY_FULL: 503,
} as const

export type SealErrorCode = keyof typeof STATUS

/** A sealed request or response was refused. Never holds content. */
export class SealError extends ChrysalisError {
  declare readonly code: SealErrorCode
  /** HTTP status for a hint in clear. Hints prove nothing: a client relaxes nothing on one. */
  readonly status: number

  constructor(code: SealErrorCode, message: string, options?: ErrorOptions) {
    super(code, message, options)
    this.status = STATUS[code]
  }
}

/** A byte-identical repeat: `frames` are the wire units of the response that it had. */
export class StoredResponse extends SealError {
  readonly frames: readonly Uint8Array[]

  constructor(frames: readonly Uint8Array[]) {
    super('ERR_REPLAY_STORED', 'this sealed request was answered before: send the stored frames again')
    this.frames = frames
  }
}
