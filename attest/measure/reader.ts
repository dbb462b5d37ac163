import { MeasureError } from './errors.ts'

/** Little-endian fields at absolute offsets of an image; everything outside it is an error that names the field. */
export class ImageReader {
  readonly bytes: Uint8Array
  readonly #view: DataView
  readonly #name: string

  /** `name` starts every message: "firmware", "kernel". */
  constructor(bytes: Uint8Array, name: string) {
    this.bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#name = name
  }

  /** The bytes from `offset`, `length` long, not copied. */
  slice(offset: number, length: number, what: string): Uint8Array {
    if (offset < 0 || length < 0 || offset + length > this.bytes.length) {
      throw new MeasureError(
        `${this.#name}: ${what} at ${offset}, ${length} bytes long, is outside the ${this.bytes.length} bytes of the file`,
      )
    }
    return this.bytes.subarray(offset, offset + length)
  }

  u16(offset: number, what: string): number {
    this.slice(offset, 2, what)
    return this.#view.getUint16(offset, true)
  }

  u32(offset: number, what: string): number {
    this.slice(offset, 4, what)
    return this.#view.getUint32(offset, true)
  }

  /** A 64-bit field that must stay below 2^52: no physical address is longer. */
  u64(offset: number, what: string): number {
    this.slice(offset, 8, what)
    const value = this.#view.getBigUint64(offset, true)
    if (value >= 1n << 52n) throw new MeasureError(`${this.#name}: ${what} is 2^52 or more`)
    return Number(value)
  }
}
