/** The sender's side of a response. */

import { equalBytes } from '../bytes.ts'
import type { Cipher } from './cipher.ts'
import { COMMIT_BYTES, FRAME, RNONCE_BYTES, SEAL_ID_BYTES } from './constants.ts'
import { SealError } from './errors.ts'
import { type Frame, FrameOpener } from './frame.ts'
import { responseSecrets, transcriptNext, transcriptStart } from './keys.ts'

const HEAD_BYTES = SEAL_ID_BYTES + RNONCE_BYTES + COMMIT_BYTES
const TYPES = [FRAME.pad, FRAME.event, FRAME.body, FRAME.final]

/** One frame of a response. */
export interface ResponseFrame extends Frame {
  /** T after this frame, 32 bytes; the final frame leaves it as it was. A partial receipt names one of these. */
  readonly transcript: Uint8Array
}

interface ResponseOpenerOptions {
  readonly sealId: Uint8Array
  readonly rsec: Uint8Array
  readonly enc: Uint8Array
  readonly requestHash: Uint8Array
  readonly cipher: Cipher
}

/**
 * Opens a response from any split of its bytes, holding at most one frame. Pad frames (type 0) are returned like
 * the others, for their transcript; they have no content. After an error every further call throws it again.
 *
 * A response succeeded when its final frame was read AND end() returned. Nothing else is success.
 */
export class ResponseOpener {
  readonly #options: ResponseOpenerOptions
  readonly #head = new Uint8Array(HEAD_BYTES)
  #headFilled = 0
  #frames: FrameOpener | undefined
  #transcript: Uint8Array | undefined
  #error: unknown

  constructor(options: ResponseOpenerOptions) {
    this.#options = options
  }

  /**
   * Takes the next bytes and returns the frames that they complete. Throws ERR_RESPONSE_SEAL_ID,
   * ERR_SEAL_COMMITMENT, ERR_FRAME, ERR_FRAME_INDEX, ERR_STREAM_TRAILING.
   */
  push(chunk: Uint8Array): ResponseFrame[] {
    return this.#guard(() => {
      const taken = Math.min(chunk.length, HEAD_BYTES - this.#headFilled)
      this.#head.set(chunk.subarray(0, taken), this.#headFilled)
      this.#headFilled += taken
      if (this.#headFilled < HEAD_BYTES) return []
      this.#frames ??= this.#begin()
      return this.#frames.push(chunk.subarray(taken)).map((frame) => {
        if (!frame.final) this.#transcript = transcriptNext(this.transcript(), frame.wire)
        const { type, content, final, index } = frame
        return { type, content, final, index, transcript: this.transcript() }
      })
    })
  }

  /** Call when the transport says that the response is at its end. Throws ERR_STREAM_TRUNCATED. */
  end(): void {
    this.#guard(() => {
      if (this.#frames === undefined) {
        throw new SealError('ERR_STREAM_TRUNCATED', 'response: ended within its first 80 bytes')
      }
      this.#frames.end()
    })
  }

  /** The transcript so far, 32 bytes. Throws ERR_SEAL_STATE before the response has begun. */
  transcript(): Uint8Array {
    if (this.#transcript === undefined) {
      throw new SealError('ERR_SEAL_STATE', 'transcript: the response has not begun')
    }
    return this.#transcript
  }

  /** Erases the secrets, for a response that is given up. Later calls throw. */
  destroy(): void {
    this.#error ??= new SealError('ERR_SEAL_STATE', 'response: given up')
    this.#wipe()
  }

  #begin(): FrameOpener {
    const { sealId, rsec, enc, requestHash, cipher } = this.#options
    if (!equalBytes(this.#head.subarray(0, SEAL_ID_BYTES), sealId)) {
      throw new SealError('ERR_RESPONSE_SEAL_ID', 'response: belongs to another seal')
    }
    const rnonce = this.#head.subarray(SEAL_ID_BYTES, SEAL_ID_BYTES + RNONCE_BYTES)
    const commit = this.#head.subarray(SEAL_ID_BYTES + RNONCE_BYTES)
    const secrets = responseSecrets(rsec, enc, rnonce)
    rsec.fill(0)
    if (!equalBytes(commit, secrets.commit)) {
      throw new SealError('ERR_SEAL_COMMITMENT', 'response: its key is not the one of this request')
    }
    this.#transcript = transcriptStart(requestHash, rnonce, commit)
    return new FrameOpener(secrets, cipher, TYPES)
  }

  #guard<T>(action: () => T): T {
    if (this.#error !== undefined) throw this.#error
    try {
      return action()
    } catch (error) {
      this.#error = error
      this.#wipe()
      throw error
    }
  }

  #wipe(): void {
    this.#options.rsec.fill(0)
    this.#frames?.destroy()
  }
}
