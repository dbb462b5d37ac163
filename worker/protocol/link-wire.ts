/** Bytes of the link: binary messages, and what is signed to join, to welcome and to attest again. */

import { concat, fromBase64, fromHex, utf8 } from '../../attest/bytes.ts'
import { sha256 } from '../../attest/crypto.ts'
import { canonicalBytes } from '../../attest/json.ts'
import type { GatewayMessageOf, WorkerMessageOf } from './link.ts'
import { LINK_LIMITS, LinkError } from './link-terms.ts'

/** Kinds of binary messages. */
export const CHUNK = { request: 1, lastRequest: 2, response: 3 } as const
export type ChunkKind = (typeof CHUNK)[keyof typeof CHUNK]

export interface Chunk {
  kind: ChunkKind
  stream: number
  payload: Uint8Array
}

const CHUNK_HEADER = 5

/** u8 kind || u32be stream || payload. @throws LinkError limit_exceeded when the payload is too long */
export function encodeChunk(kind: ChunkKind, streamId: number, payload: Uint8Array): Uint8Array {
  if (payload.length > LINK_LIMITS.maxChunkBytes)
    throw new LinkError('limit_exceeded', 'a chunk is too large')
  const bytes = new Uint8Array(CHUNK_HEADER + payload.length)
  bytes[0] = kind
  new DataView(bytes.buffer).setUint32(1, streamId)
  bytes.set(payload, CHUNK_HEADER)
  return bytes
}

/** Reads a binary message; the payload is a view, not a copy. @throws LinkError malformed_message or limit_exceeded */
export function decodeChunk(bytes: Uint8Array): Chunk {
  const kind = bytes[0]
  if (bytes.length < CHUNK_HEADER || (kind !== 1 && kind !== 2 && kind !== 3)) {
    throw new LinkError('malformed_message', 'a binary message has no known kind or is too short')
  }
  if (bytes.length - CHUNK_HEADER > LINK_LIMITS.maxChunkBytes) {
    throw new LinkError('limit_exceeded', 'a chunk is too large')
  }
  const streamId = new DataView(bytes.buffer, bytes.byteOffset).getUint32(1)
  if (streamId === 0) throw new LinkError('malformed_message', 'stream 0 does not exist')
  return { kind, stream: streamId, payload: bytes.subarray(CHUNK_HEADER) }
}

const JOIN_LABEL = utf8('chrysalis/join/1\0')
const WELCOME_LABEL = utf8('chrysalis/welcome/1\0')
const REATTEST_LABEL = utf8('chrysalis/reattest/1\0')

export interface JoinSignatureInput {
  /** 32 bytes each. */
  challengeNonce: Uint8Array
  workerNonce: Uint8Array
  claimsDigest: Uint8Array
  /** As in the join, 64 hex digits; zeros are signed when the join names none. */
  payoutKey: string | undefined
  /** TLS exporter of the connection, 32 bytes; absent (zeros are signed) when the link is not TLS. */
  tlsExporter?: Uint8Array
}

/**
 * What the worker's signingKey signs to join: evidence is public, so only this proves that the claimed enclave is at
 * the other end of this connection, and that nobody on the way has put another payout key in.
 * "chrysalis/join/1" || 00 || challenge nonce || worker nonce || claimsDigest || payout key || exporter
 */
export function joinMessage(input: JoinSignatureInput): Uint8Array {
  const payoutKey = input.payoutKey === undefined ? new Uint8Array(32) : fromHex(input.payoutKey)
  const exporter = input.tlsExporter ?? new Uint8Array(32)
  const parts = [input.challengeNonce, input.workerNonce, input.claimsDigest, payoutKey, exporter]
  for (const part of parts) {
    if (part.length !== 32) throw new LinkError('internal', 'a part of the join message is not 32 bytes')
  }
  return concat(JOIN_LABEL, ...parts)
}

/** A welcome as it is before its gateway signs it. */
export type UnsignedWelcome = Omit<GatewayMessageOf<'welcome'>, 'signature'>

export interface WelcomeSignatureInput {
  /** The messages before the welcome: each side puts in what it sent and what it received. */
  challenge: GatewayMessageOf<'challenge'>
  join: WorkerMessageOf<'join'>
  /** SHA-256 of the claims in the welcome's evidence, 32 bytes. */
  claimsDigest: Uint8Array
  welcome: UnsignedWelcome
  /** As in `JoinSignatureInput`. */
  tlsExporter?: Uint8Array
}

/**
 * What the gateway's signingKey signs to welcome a worker, 244 bytes: anybody can fetch a gateway's evidence over any
 * nonce, so only this proves that the claimed enclave is at the other end, took this very join, and said this.
 * "chrysalis/welcome/1" || 00 || worker nonce || challenge nonce || SHA-256(challenge) || SHA-256(join without its
 * evidence) || claimsDigest || SHA-256(welcome without `gateway` and `signature`) || exporter
 *
 * A message is hashed as its RFC 8785 bytes. Evidence is left out of them: it proves itself, and the digests of the
 * claims stand for it (the worker's under the signature in its join). Both ranges of versions are in them, so that
 * nobody on the way can talk the two into an older version.
 * @throws LinkError internal when a part is not 32 bytes
 */
export function welcomeMessage(input: WelcomeSignatureInput): Uint8Array {
  const { challenge } = input
  const { evidence: _, ...join } = input.join
  // A welcome that came over the link has its signature; ours has none yet.
  const { gateway: _gateway, signature: _signature, ...terms } = input.welcome as GatewayMessageOf<'welcome'>
  const parts = [
    fromBase64(join.nonce),
    fromBase64(challenge.nonce),
    sha256(canonicalBytes(challenge)),
    sha256(canonicalBytes(join)),
    input.claimsDigest,
    sha256(canonicalBytes(terms)),
    input.tlsExporter ?? new Uint8Array(32),
  ]
  for (const part of parts) {
    if (part.length !== 32) throw new LinkError('internal', 'a part of the welcome message is not 32 bytes')
  }
  return concat(WELCOME_LABEL, ...parts)
}

/** What the signingKey signs with a later epoch's evidence: "chrysalis/reattest/1" || 00 || nonce || claimsDigest. */
export function reattestMessage(attestNonce: Uint8Array, claimsDigest: Uint8Array): Uint8Array {
  if (attestNonce.length !== 32 || claimsDigest.length !== 32) {
    throw new LinkError('internal', 'a part of the re-attestation message is not 32 bytes')
  }
  return concat(REATTEST_LABEL, attestNonce, claimsDigest)
}
