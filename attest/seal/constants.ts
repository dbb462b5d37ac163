/** Sizes and labels of version 1 of the seal (DESIGN section 4). */

import { concat, utf8 } from '../bytes.ts'

/** Longest sealed request, bytes. */
export const MAX_REQUEST_BYTES = 4 * 1024 * 1024
/** Longest frame on the wire with its length prefix, bytes. */
export const MAX_FRAME_BYTES = 256 * 1024
/** Longest clear context, bytes. */
export const MAX_CONTEXT_BYTES = 16 * 1024
/** Smallest bucket of a request's frames together, bytes. */
export const REQUEST_BUCKET_BYTES = 1024
/** Smallest bucket of a response frame, bytes. */
export const FRAME_BUCKET_BYTES = 256
/** Smallest bucket of a response's final frame: success and error alike fit it, so its size tells neither. */
export const FINAL_BUCKET_BYTES = 4096
/** Frame indexes are below this. */
export const MAX_FRAMES = 2 ** 32

export const SEAL_ID_BYTES = 16
export const RNONCE_BYTES = 32
export const COMMIT_BYTES = 32
export const AUTH_BYTES = 64
export const KEY_BYTES = 32
export const PREFIX_BYTES = 16
/** key || prefix || commit. */
export const SECRETS_BYTES = KEY_BYTES + PREFIX_BYTES + COMMIT_BYTES
/** Tag that secretbox adds. */
export const TAG_BYTES = 16
/** u32 length in front of a box. */
export const LENGTH_BYTES = 4
/** type u8 and u32 content length inside a box. */
export const HEADER_BYTES = 5
/** What a frame adds to its content. */
export const FRAME_OVERHEAD_BYTES = LENGTH_BYTES + TAG_BYTES + HEADER_BYTES
/** Most content bytes that one frame holds. */
export const MAX_CONTENT_BYTES = MAX_FRAME_BYTES - FRAME_OVERHEAD_BYTES

/** Frame types. */
export const FRAME = {
  /** Padding: no content, to be ignored. */
  pad: 0,
  /** One JSON document, the data of one server-sent event. */
  event: 1,
  /** Bytes of a body. */
  body: 2,
  /** The last frame; the only one under the final flag. */
  final: 3,
} as const

const SEPARATOR = new Uint8Array(1)

/** A domain label followed by one zero byte. */
function label(text: string): Uint8Array {
  return concat(utf8(text), SEPARATOR)
}

export const LABEL = {
  context: label('chrysalis/context/1'),
  seal: label('chrysalis/seal/1'),
  request: label('request'),
  response: label('response'),
  responseInfo: utf8('chrysalis/response/1'),
  transcript: label('chrysalis/transcript/1'),
  auth: label('chrysalis/request-auth/1'),
}
