/** The seal: one request to one enclave, one response back (DESIGN section 4; format in README.md). */

export type { Cipher } from './cipher.ts'
export {
  FRAME,
  MAX_CONTENT_BYTES,
  MAX_CONTEXT_BYTES,
  MAX_FRAME_BYTES,
  MAX_REQUEST_BYTES,
} from './constants.ts'
export { contextHash, contextSchema, encodeContext, parseContext, type SealContext } from './context.ts'
export { SealError, type SealErrorCode, StoredResponse } from './errors.ts'
export type { Frame } from './frame.ts'
export {
  type OpenedRequest,
  type OpenInternals,
  type OpenLimits,
  type OpenOptions,
  openSealed,
} from './open.ts'
export { type ResponseFrame, ResponseOpener } from './response-opener.ts'
export { ResponseSealer } from './response-sealer.ts'
export {
  type SealEpoch,
  type SealedRequest,
  type SealInternals,
  type SealOptions,
  type SealRequestContext,
  seal,
} from './seal.ts'
export { SESSION_MS, SESSION_REQUESTS, SenderSessions, type SenderSessionsOptions } from './sessions.ts'
