/** Names, limits and errors of the link; its messages are in link.ts. */

import { ChrysalisError } from '../../attest/errors.ts'

/** WebSocket path and subprotocol. */
export const LINK_PATH = '/link'
export const LINK_SUBPROTOCOL = 'chrysalis-link'

export const LINK_LIMITS = {
  /** Bytes of one WebSocket message, either kind (`maxPayload` of ws). */
  maxMessageBytes: 1024 * 1024,
  /** Bytes of the payload of one binary message. */
  maxChunkBytes: 256 * 1024,
  /** Bytes of one sealed request. */
  maxRequestBytes: 4 * 1024 * 1024,
  /** Kind-3 messages that a worker may send on a stream before the first `credit`. */
  initialCredit: 64,
  /** Grant more when this many of them have been consumed. */
  creditRefill: 32,
  /**
   * Bytes of kind-3 payloads on one stream that a worker has sent and that were not granted again: at this many it
   * waits, whatever its credit. The message that crosses the line is allowed, and a final one.
   */
  windowBytes: 1024 * 1024,
  /** Grant more when this many bytes have been consumed, should that come before `creditRefill` messages. */
  refillBytes: 256 * 1024,
  /** The most credit that may be outstanding on one stream. */
  maxCredit: 4096,
  /** Streams open at once on one connection. */
  maxStreams: 1024,
  /** Receipts in one `held` message. */
  maxHeld: 256,
  /** Milliseconds between connection and `welcome`, on both sides. */
  handshakeMs: 30_000,
} as const

/** WebSocket close codes of this protocol; the close reason is the key's name. */
export const CLOSE = {
  /** Planned end: drained, shutting down. */
  going_away: 1001,
  /** A text message that is not JSON of a known schema, or an empty or unknown binary message. */
  malformed_message: 4400,
  /** A well-formed message at the wrong time, or for a stream that never was. */
  unexpected_message: 4402,
  /** The evidence, the signature or the terms were refused. */
  refused: 4403,
  /** No common protocol version. */
  version_unsupported: 4406,
  /** No sign of life for 2.5 heartbeat intervals, or a handshake that took too long. */
  heartbeat_lost: 4408,
  /** The same worker (bootId) joined again on another connection. */
  replaced: 4409,
  /** More chunks than granted, a request or message too large, too many streams. */
  limit_exceeded: 4413,
  /** A fault on the side that closes. */
  internal: 4500,
} as const

export type CloseName = keyof typeof CLOSE

/** A message or a sequence that breaks the protocol; `closeName` says how to close. */
export class LinkError extends ChrysalisError {
  readonly closeName: CloseName

  constructor(closeName: CloseName, message: string, options?: ErrorOptions) {
    super(`ERR_LINK_${closeName.toUpperCase()}`, message, options)
    this.closeName = closeName
  }
}

/**
 * Clear hints at the end of a stream that has no sealed final frame, because the request could not be opened or
 * the worker takes no work. A hint is a reason to try elsewhere or to reseal, never a reason to relax a check.
 */
export const STREAM_HINTS = [
  /** The epoch is unknown or over: fetch fresh evidence and seal again (HTTP 412). */
  'epoch_unknown',
  /** The request could not be opened: malformed, commitment, authentication, context for another worker. */
  'seal_refused',
  /** These bytes, or this request id of this payer, were executed before (HTTP 409). */
  'replayed',
  /** The deadline of the context has passed. */
  'deadline_passed',
  /** The request is larger than the worker takes. */
  'too_large',
  /** Every slot and queue place is taken. */
  'busy',
  /** The gateway owes more than the credit limit. */
  'credit_exhausted',
  /** The worker is shutting down. */
  'draining',
  /** Cancelled before it was opened. */
  'cancelled',
  /** A fault of the worker before the request was opened. */
  'internal',
] as const

export type StreamHint = (typeof STREAM_HINTS)[number]

/** Why a worker gives no evidence for a stranger's nonce. */
export const NO_EVIDENCE = [
  /** This link has asked more often than the worker quotes. */
  'rate_limited',
  /** The evidence does not fit into a message of the link: ask the worker itself. */
  'too_large',
  /** The TEE failed. */
  'internal',
] as const

export type NoEvidence = (typeof NO_EVIDENCE)[number]
