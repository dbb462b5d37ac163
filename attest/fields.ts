/** Reads the fields of a binary format in order. */

/**
 * A reader of little-endian fields that must use up its bytes exactly. Fields are views of the input, never copies: a
 * length that lies costs nothing.
 */
export class FieldReader {
  readonly #bytes: Uint8Array
  readonly #fail: (problem: string, at: number) => Error
  #at = 0

  /** @param fail makes the error of the format from what is wrong and the offset at which it is */
  constructor(bytes: Uint8Array, fail: (problem: string, at: number) => Error) {
    this.#bytes = bytes
    this.#fail = fail
  }

  /** Bytes read so far. */
  get offset(): number {
    return this.#at
  }

  /** Whether all bytes are read. */
  get done(): boolean {
    return this.#at === this.#bytes.length
  }

  /** The next `length` bytes. */
  take(length: number, field: string): Uint8Array {
    const end = this.#at + length
    if (end > this.#bytes.length) throw this.error(`too short for ${field}`)
    const part = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return part
  }

  /** An unsigned integer. */
  uint(length: 1 | 2 | 3 | 4, field: string): number {
    return this.take(length, field).reduceRight((value, byte) => value * 256 + byte, 0)
  }

  /** 8 bytes. A length above 2^53 is a lie, but one that can be told: hence bigint. */
  u64(field: string): bigint {
    return this.take(8, field).reduceRight((value, byte) => value * 256n + BigInt(byte), 0n)
  }

  /** Bytes that have one right value. */
  expect(values: readonly number[], field: string): void {
    const found = this.take(values.length, field)
    if (values.some((value, i) => found[i] !== value)) throw this.error(`${field} is not what it must be`)
  }

  /** What is left, without reading it. */
  rest(): Uint8Array {
    return this.#bytes.subarray(this.#at)
  }

  /** Throws unless everything is read. */
  end(): void {
    if (!this.done) throw this.error('bytes follow its end')
  }

  /** The error of the format for a problem here. */
  error(problem: string): Error {
    return this.#fail(problem, this.#at)
  }
}
