/** Reads little-endian fields in order; every read past the end is an EventLogError. */

import { EventLogError } from './log.ts'

export class LogReader {
  readonly #bytes: Uint8Array
  readonly #what: string
  #at = 0

  /** @param what the structure's name, for error messages */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes
    this.#what = what
  }

  /** Bytes read so far. */
  get offset(): number {
    return this.#at
  }

  get done(): boolean {
    return this.#at === this.#bytes.length
  }

  /** A view of the next bytes, never a copy: a length field that lies costs nothing. */
  take(length: number, field: string): Uint8Array {
    const end = this.#at + length
    if (end > this.#bytes.length) throw new EventLogError(`${this.#what}: too short for ${field}`)
    const part = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return part
  }

  uint(length: 1 | 2 | 4, field: string): number {
    let value = 0
    for (const byte of this.take(length, field).toReversed()) value = value * 256 + byte
    return value
  }

  /** 8 bytes. Larger than 2^53 only in a log that lies, hence bigint. */
  u64(field: string): bigint {
    let value = 0n
    for (const byte of this.take(8, field).toReversed()) value = value * 256n + BigInt(byte)
    return value
  }

  /** What is left, without reading it. */
  rest(): Uint8Array {
    return this.#bytes.subarray(this.#at)
  }

  end(): void {
    if (!this.done) throw new EventLogError(`${this.#what}: bytes follow its end`)
  }
}
