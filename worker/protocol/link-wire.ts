/** Bytes of the link: binary messages, and what is signed to join and to attest again. */

import { concat, fromHex, utf8 } from '../../attest/bytes.ts'
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

/** What the signingKey signs with a later epoch's evidence: "chrysalis/reattest/1" || 00 || nonce || claimsDigest. */
export function reattestMessage(attestNonce: Uint8Array, claimsDigest: Uint8Array): Uint8Array {
  if (attestNonce.length !== 32 || claimsDigest.length !== 32) {
    throw new LinkError('internal', 'a part of the re-attestation message is not 32 bytes')
  }
  return concat(REATTEST_LABEL, attestNonce, claimsDigest)
}
