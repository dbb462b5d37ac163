/** Frames: secretbox in the STREAM construction, one key per direction, nonce = prefix || u56be(index) || flag. */

import { isZero } from '../bytes.ts'
import type { Cipher } from './cipher.ts'
import {
  FINAL_BUCKET_BYTES,
  FRAME,
  FRAME_OVERHEAD_BYTES,
  HEADER_BYTES,
  LENGTH_BYTES,
  MAX_FRAME_BYTES,
  MAX_FRAMES,
  PREFIX_BYTES,
  TAG_BYTES,
} from './constants.ts'
import { SealError } from './errors.ts'
import type { StreamSecrets } from './keys.ts'

const NONCE_BYTES = 24
const MIN_BOX_BYTES = TAG_BYTES + HEADER_BYTES
const MAX_BOX_BYTES = MAX_FRAME_BYTES - LENGTH_BYTES

/** One opened frame. */
export interface Frame {
  readonly type: number
  readonly content: Uint8Array
  readonly final: boolean
  readonly index: number
}

/** An opened frame with the bytes it came in, for the transcript. */
interface WireFrame extends Frame {
  readonly wire: Uint8Array
}

/** Smallest `unit`·2^k that holds `bytes`. */
export function bucket(bytes: number, unit: number): number {
  let size = unit
  while (size < bytes) size *= 2
  return size
}

/** Whether a frame has the size of a final one: then that is tried first. A guess only; either way both are tried. */
function isFinalSize(bytes: number): boolean {
  return bytes >= FINAL_BUCKET_BYTES && bucket(bytes, FINAL_BUCKET_BYTES) === bytes
}

/** The length of the box behind four bytes. Throws ERR_FRAME when no frame has it. */
function boxLength(bytes: Uint8Array): number {
  const length = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0)
  if (length >= MIN_BOX_BYTES && length <= MAX_BOX_BYTES) return length
  throw new SealError(
    'ERR_FRAME',
    `frame: its box says ${length} bytes, ${MIN_BOX_BYTES} to ${MAX_BOX_BYTES} are allowed`,
  )
}

function frameNonce(prefix: Uint8Array, index: number, final: boolean): Uint8Array {
  const nonce = new Uint8Array(NONCE_BYTES)
  nonce.set(prefix)
  // u56be: the index is below 2^32, so its three high bytes stay zero.
  new DataView(nonce.buffer).setUint32(PREFIX_BYTES + 3, index)
  nonce[NONCE_BYTES - 1] = final ? 1 : 0
  return nonce
}

/** Seals the frames of one direction, in order. */
export class FrameSealer {
  readonly #secrets: StreamSecrets
  readonly #cipher: Cipher
  #index: number
  #finished = false

  constructor(secrets: StreamSecrets, cipher: Cipher, firstIndex = 0) {
    this.#secrets = secrets
    this.#cipher = cipher
    this.#index = firstIndex
  }

  /**
   * Seals one frame into exactly `wireBytes` bytes, length prefix and zeros included. A frame of type final closes
   * the stream and erases the key. Throws ERR_FRAME when the content does not fit, ERR_FRAME_INDEX after 2^32
   * frames, ERR_SEAL_STATE after the final frame.
   */
  seal(type: number, content: Uint8Array, wireBytes: number): Uint8Array<ArrayBuffer> {
    if (this.#finished) throw new SealError('ERR_SEAL_STATE', 'frame: the final frame is already sealed')
    if (wireBytes > MAX_FRAME_BYTES || content.length > wireBytes - FRAME_OVERHEAD_BYTES) {
      throw new SealError('ERR_FRAME', `frame: ${content.length} content bytes do not fit, split them`)
    }
    if (this.#index >= MAX_FRAMES) throw new SealError('ERR_FRAME_INDEX', 'frame: 2^32 frames are used up')
    const final = type === FRAME.final
    const plain = new Uint8Array(wireBytes - LENGTH_BYTES - TAG_BYTES)
    plain[0] = type
    new DataView(plain.buffer).setUint32(1, content.length)
    plain.set(content, HEADER_BYTES)
    const box = this.#cipher.box(
      plain,
      frameNonce(this.#secrets.prefix, this.#index, final),
      this.#secrets.key,
    )
    plain.fill(0)
    this.#index++
    if (final) this.destroy()
    const wire = new Uint8Array(LENGTH_BYTES + box.length)
    new DataView(wire.buffer).setUint32(0, box.length)
    wire.set(box, LENGTH_BYTES)
    return wire
  }

  get finished(): boolean {
    return this.#finished
  }

  /** Erases the key; nothing can be sealed any more. */
  destroy(): void {
    this.#finished = true
    this.#secrets.key.fill(0)
    this.#secrets.prefix.fill(0)
  }
}

/**
 * Opens the frames of one direction from any split of its bytes and holds at most one frame. The first error ends
 * it for good: every later call throws the same error.
 */
export class FrameOpener {
  readonly #secrets: StreamSecrets
  readonly #cipher: Cipher
  readonly #types: ReadonlySet<number>
  readonly #prefix = new Uint8Array(LENGTH_BYTES)
  #prefixFilled = 0
  #wire: Uint8Array | undefined
  #wireFilled = 0
  #index: number
  #finished = false
  #error: unknown

  constructor(secrets: StreamSecrets, cipher: Cipher, types: readonly number[], firstIndex = 0) {
    this.#secrets = secrets
    this.#cipher = cipher
    this.#types = new Set(types)
    this.#index = firstIndex
  }

  get finished(): boolean {
    return this.#finished
  }

  /**
   * Opens what is whole. `last` says that no more bytes will come, so that the final frame is tried as such first.
   * Throws ERR_FRAME, ERR_FRAME_INDEX or ERR_STREAM_TRAILING.
   */
  push(chunk: Uint8Array, last = false): WireFrame[] {
    return this.#guard(() => {
      const frames: WireFrame[] = []
      let rest = chunk
      while (rest.length > 0) {
        if (this.#finished) {
          throw new SealError('ERR_STREAM_TRAILING', 'stream: bytes follow the final frame')
        }
        const whole = this.#takeWhole(rest)
        rest = rest.subarray(whole?.length ?? this.#fill(rest))
        const wire = whole ?? this.#wire
        if (wire !== undefined && (whole !== undefined || this.#wireFilled === wire.length)) {
          frames.push(this.#open(wire, (last && rest.length === 0) || isFinalSize(wire.length)))
        }
      }
      return frames
    })
  }

  /** Must be called when the bytes are at their end. Throws ERR_STREAM_TRUNCATED without a final frame. */
  end(): void {
    this.#guard(() => {
      if (!this.#finished) {
        throw new SealError('ERR_STREAM_TRUNCATED', 'stream: ended before its final frame')
      }
    })
  }

  destroy(): void {
    this.#secrets.key.fill(0)
    this.#secrets.prefix.fill(0)
    this.#wire = undefined
  }

  #guard<T>(action: () => T): T {
    if (this.#error !== undefined) throw this.#error
    try {
      return action()
    } catch (error) {
      this.#error = error
      this.destroy()
      throw error
    }
  }

  // Most chunks are one whole frame: that is opened where it lies, without a copy.
  #takeWhole(bytes: Uint8Array): Uint8Array | undefined {
    if (this.#wire !== undefined || this.#prefixFilled > 0 || bytes.length < LENGTH_BYTES) return undefined
    const length = boxLength(bytes) + LENGTH_BYTES
    return bytes.length >= length ? bytes.subarray(0, length) : undefined
  }

  // Takes what the current frame still needs and returns how much that was.
  #fill(bytes: Uint8Array): number {
    if (this.#wire !== undefined) {
      const taken = bytes.subarray(0, this.#wire.length - this.#wireFilled)
      this.#wire.set(taken, this.#wireFilled)
      this.#wireFilled += taken.length
      return taken.length
    }
    const taken = bytes.subarray(0, LENGTH_BYTES - this.#prefixFilled)
    this.#prefix.set(taken, this.#prefixFilled)
    this.#prefixFilled += taken.length
    if (this.#prefixFilled === LENGTH_BYTES) this.#begin()
    return taken.length
  }

  #begin(): void {
    const length = boxLength(this.#prefix)
    this.#wire = new Uint8Array(LENGTH_BYTES + length)
    this.#wire.set(this.#prefix)
    this.#wireFilled = LENGTH_BYTES
    this.#prefixFilled = 0
  }

  #open(wire: Uint8Array, likelyFinal: boolean): WireFrame {
    if (this.#index >= MAX_FRAMES) throw new SealError('ERR_FRAME_INDEX', 'frame: 2^32 frames are used up')
    const box = wire.subarray(LENGTH_BYTES)
    let final = likelyFinal
    let plain = this.#unbox(box, final)
    if (plain === null) {
      final = !final
      plain = this.#unbox(box, final)
    }
    if (plain === null) throw new SealError('ERR_FRAME', 'frame: altered, out of order or of another stream')
    const frame = { ...this.#read(plain, final), index: this.#index, wire }
    this.#index++
    this.#wire = undefined
    this.#finished = final
    if (final) this.destroy()
    return frame
  }

  #unbox(box: Uint8Array, final: boolean): Uint8Array | null {
    return this.#cipher.open(box, frameNonce(this.#secrets.prefix, this.#index, final), this.#secrets.key)
  }

  #read(plain: Uint8Array, final: boolean): { type: number; content: Uint8Array; final: boolean } {
    const view = new DataView(plain.buffer, plain.byteOffset, plain.length)
    const type = view.getUint8(0)
    const end = HEADER_BYTES + view.getUint32(1)
    if (!this.#types.has(type)) throw new SealError('ERR_FRAME', `frame: type ${type} is unknown here`)
    if ((type === FRAME.final) !== final) {
      throw new SealError('ERR_FRAME', `frame: type ${type} contradicts the final flag`)
    }
    if (end > plain.length) throw new SealError('ERR_FRAME', 'frame: its content is longer than its box')
    if (type === FRAME.pad && end !== HEADER_BYTES)
      throw new SealError('ERR_FRAME', 'frame: padding has content')
    if (!isZero(plain.subarray(end))) throw new SealError('ERR_FRAME', 'frame: its padding is not zero')
    return { type, content: plain.subarray(HEADER_BYTES, end), final }
  }
}
