/** The receiver's side of a response. */

import { concat } from '../bytes.ts'
import type { ReplayEntry } from '../epoch/replay.ts'
import type { Cipher } from './cipher.ts'
import {
  FINAL_BUCKET_BYTES,
  FRAME,
  FRAME_BUCKET_BYTES,
  FRAME_OVERHEAD_BYTES,
  MAX_CONTENT_BYTES,
} from './constants.ts'
import { SealError } from './errors.ts'
import { bucket, FrameSealer } from './frame.ts'
import { responseSecrets, transcriptNext, transcriptStart } from './keys.ts'

interface ResponseSealerOptions {
  readonly sealId: Uint8Array
  readonly rsec: Uint8Array
  readonly enc: Uint8Array
  readonly rnonce: Uint8Array
  readonly requestHash: Uint8Array
  readonly padded: boolean
  readonly cipher: Cipher
  /** Keeps the wire units for a byte-identical repeat. */
  readonly entry?: ReplayEntry
}

const NOTHING = new Uint8Array(0)

/**
 * Seals one response. It holds its own key, so it goes on when its epoch is over. Every returned array is one wire
 * unit; the response is their concatenation, start() first and final() last.
 */
export class ResponseSealer {
  readonly #frames: FrameSealer
  readonly #head: Uint8Array
  readonly #padded: boolean
  readonly #entry: ReplayEntry | undefined
  #transcript: Uint8Array
  #started = false

  constructor(options: ResponseSealerOptions) {
    const { sealId, rsec, enc, rnonce, requestHash, padded, cipher, entry } = options
    const secrets = responseSecrets(rsec, enc, rnonce)
    rsec.fill(0)
    this.#head = concat(sealId, rnonce, secrets.commit)
    this.#transcript = transcriptStart(requestHash, rnonce, secrets.commit)
    this.#frames = new FrameSealer(secrets, cipher)
    this.#padded = padded
    this.#entry = entry
  }

  /** The first wire unit: sealId || rnonce || commit, 80 bytes. */
  start(): Uint8Array {
    if (this.#started) throw new SealError('ERR_SEAL_STATE', 'response: already started')
    this.#started = true
    this.#entry?.record(this.#head)
    return this.#head
  }

  /** One event (type 1, one JSON document) or piece of a body (type 2), at most 262 119 bytes. */
  frame(type: typeof FRAME.event | typeof FRAME.body, content: Uint8Array): Uint8Array {
    if (type !== FRAME.event && type !== FRAME.body) {
      throw new SealError('ERR_FRAME', `frame: type ${String(type)} is not event (1) or body (2)`)
    }
    const bytes = content.length + FRAME_OVERHEAD_BYTES
    return this.#seal(type, content, this.#padded ? bucket(bytes, FRAME_BUCKET_BYTES) : bytes)
  }

  /** A body of any length, as frames of type 2. */
  *body(content: Uint8Array): Generator<Uint8Array> {
    for (let at = 0; at < content.length; at += MAX_CONTENT_BYTES) {
      yield this.frame(FRAME.body, content.subarray(at, at + MAX_CONTENT_BYTES))
    }
  }

  /** A frame that says nothing, `bytes` long on the wire (256·2^k). */
  pad(bytes: number = FRAME_BUCKET_BYTES): Uint8Array {
    if (bytes !== bucket(bytes, FRAME_BUCKET_BYTES)) {
      throw new SealError('ERR_FRAME', `pad: ${bytes} bytes are not 256 times a power of two`)
    }
    return this.#seal(FRAME.pad, NOTHING, bytes)
  }

  /** The last wire unit, always a whole bucket of at least 4096 bytes. Erases the key. */
  final(content: Uint8Array): Uint8Array {
    const bytes = bucket(content.length + FRAME_OVERHEAD_BYTES, FINAL_BUCKET_BYTES)
    const wire = this.#seal(FRAME.final, content, bytes)
    this.#entry?.finish()
    return wire
  }

  /** The transcript over the frames so far, 32 bytes; what the next receipt names. */
  transcript(): Uint8Array {
    return this.#transcript
  }

  /** Erases the key of a response that nobody waits for. Later calls throw. */
  destroy(): void {
    if (!this.#frames.finished) this.#entry?.abandon()
    this.#frames.destroy()
  }

  #seal(type: number, content: Uint8Array, bytes: number): Uint8Array {
    if (!this.#started) throw new SealError('ERR_SEAL_STATE', 'response: call start() first')
    const wire = this.#frames.seal(type, content, bytes)
    if (type !== FRAME.final) this.#transcript = transcriptNext(this.#transcript, wire)
    this.#entry?.record(wire)
    return wire
  }
}
