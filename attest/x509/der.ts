/**
 * Strict DER (X.690), the subset that X.509 of attestation chains needs: single-byte tags, definite lengths in their
 * shortest form, nothing trailing. Two encodings of one value are never both accepted, so no byte can change unnoticed.
 */

import { concat, utf8 } from '../bytes.ts'
import { ChrysalisError } from '../errors.ts'

/** Malformed or unacceptable DER, PEM, certificate or CRL. */
export class X509Error extends ChrysalisError {
  constructor(message: string) {
    super('ERR_X509', message)
  }
}

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  enumerated: 0x0a,
  utf8String: 0x0c,
  printableString: 0x13,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const

/** One element: its tag, its content and its whole encoding (views into the input). */
export interface Tlv {
  tag: number
  value: Uint8Array
  raw: Uint8Array
}

/** Reads one level of DER elements in order. Every method throws X509Error on anything but strict DER. */
export class DerReader {
  readonly #bytes: Uint8Array
  readonly #what: string
  #offset = 0

  /** @param what the structure's name, for error messages */
  constructor(bytes: Uint8Array, what: string) {
    this.#bytes = bytes
    this.#what = what
  }

  /** Opens the one SEQUENCE that all of these bytes are. */
  static only(bytes: Uint8Array, what: string): DerReader {
    const outer = new DerReader(bytes, what)
    const inner = outer.open(TAG.sequence, what)
    outer.end()
    return inner
  }

  /** Whether all bytes are read. */
  get done(): boolean {
    return this.#offset === this.#bytes.length
  }

  /** The tag of the next element, undefined at the end. */
  get nextTag(): number | undefined {
    return this.#bytes[this.#offset]
  }

  /** Reads the next element, which must have the tag given, if one is given. */
  next(tag?: number): Tlv {
    const start = this.#offset
    const found = this.#byte(start)
    if ((found & 0x1f) === 0x1f) throw this.#error('multi-byte tag')
    if (tag !== undefined && found !== tag)
      throw this.#error(`tag ${hexByte(found)} where ${hexByte(tag)} belongs`)
    const { length, offset } = this.#length(start + 1)
    const end = offset + length
    if (end > this.#bytes.length) throw this.#error('element runs past the end')
    this.#offset = end
    return { tag: found, value: this.#bytes.subarray(offset, end), raw: this.#bytes.subarray(start, end) }
  }

  /** Reads the next element if it has this tag. */
  optional(tag: number): Tlv | undefined {
    return this.nextTag === tag ? this.next(tag) : undefined
  }

  /** Reads the next element and opens it. */
  open(tag: number, what: string): DerReader {
    return new DerReader(this.next(tag).value, what)
  }

  /** Throws unless everything is read. */
  end(): void {
    if (!this.done) throw this.#error('trailing bytes')
  }

  #length(at: number): { length: number; offset: number } {
    const first = this.#byte(at)
    if (first < 0x80) return { length: first, offset: at + 1 }
    const count = first & 0x7f
    if (count === 0 || count > 3) throw this.#error('indefinite or oversize length')
    let length = 0
    for (let i = 0; i < count; i++) length = length * 256 + this.#byte(at + 1 + i)
    if (length < 0x80 || length < 256 ** (count - 1)) throw this.#error('length not in its shortest form')
    return { length, offset: at + 1 + count }
  }

  #byte(at: number): number {
    const byte = this.#bytes[at]
    if (byte === undefined) throw this.#error('ends in the middle of an element')
    return byte
  }

  #error(problem: string): X509Error {
    return new X509Error(`${this.#what}: ${problem} at byte ${this.#offset}`)
  }
}

function hexByte(value: number): string {
  return `0x${value.toString(16).padStart(2, '0')}`
}

/** Decodes an OBJECT IDENTIFIER's content to dotted form. */
export function oidText(value: Uint8Array): string {
  const arcs: number[] = []
  let arc = 0
  let inside = false
  for (const byte of value) {
    if (!inside && byte === 0x80) throw new X509Error('object identifier: arc not in its shortest form')
    if (arc > 0x3fffff) throw new X509Error('object identifier: arc too large')
    arc = arc * 128 + (byte & 0x7f)
    inside = (byte & 0x80) !== 0
    if (inside) continue
    arcs.push(arc)
    arc = 0
  }
  const first = arcs.shift()
  if (inside || first === undefined) throw new X509Error('object identifier: cut short')
  const top = Math.min(Math.floor(first / 40), 2)
  return [top, first - top * 40, ...arcs].join('.')
}

/** Checks an INTEGER's content: shortest form and not negative. Returns it unchanged (big-endian two's complement). */
export function unsignedInteger(value: Uint8Array, what: string): Uint8Array {
  const [first, second] = value
  if (first === undefined) throw new X509Error(`${what}: empty integer`)
  if (first & 0x80) throw new X509Error(`${what}: negative integer`)
  if (first === 0 && second !== undefined && !(second & 0x80)) {
    throw new X509Error(`${what}: integer not in its shortest form`)
  }
  return value
}

/** A small non-negative INTEGER as a number (at most 4 bytes of content). */
export function smallInteger(value: Uint8Array, what: string): number {
  if (value.length > 4) throw new X509Error(`${what}: integer too large`)
  let number = 0
  for (const byte of unsignedInteger(value, what)) number = number * 256 + byte
  return number
}

/** A BOOLEAN's content: exactly 00 or FF. */
export function booleanValue(value: Uint8Array, what: string): boolean {
  if (value.length !== 1 || (value[0] !== 0 && value[0] !== 0xff))
    throw new X509Error(`${what}: not a DER boolean`)
  return value[0] === 0xff
}

/** A BIT STRING's content without unused bits. */
export function wholeBits(value: Uint8Array, what: string): Uint8Array {
  if (value[0] !== 0) throw new X509Error(`${what}: bit string with unused bits`)
  return value.subarray(1)
}

/** UTCTime or GeneralizedTime (RFC 5280 forms, seconds, Z) as milliseconds since 1970. */
export function timeValue({ tag, value }: Tlv, what: string): number {
  const years = tag === TAG.utcTime ? 2 : tag === TAG.generalizedTime ? 4 : 0
  if (years === 0 || value.length !== years + 11 || value[years + 10] !== 0x5a)
    throw new X509Error(`${what}: not a time of RFC 5280`)
  const pair = (at: number): number => twoDigits(value, at, what)
  const year = years === 4 ? pair(0) * 100 + pair(2) : (pair(0) < 50 ? 2000 : 1900) + pair(0)
  const [month, day, hour] = [pair(years), pair(years + 2), pair(years + 4)]
  const [minute, second] = [pair(years + 6), pair(years + 8)]
  const time = Date.UTC(year, month - 1, day, hour, minute, second)
  // Date.UTC rolls 31 February over and takes the year 50 for 1950; what does not read back the same was never a date.
  const back = new Date(time)
  const sameDay = back.getUTCMonth() === month - 1 && back.getUTCDate() === day && back.getUTCHours() === hour
  if (!sameDay || back.getUTCFullYear() !== year || minute > 59 || second > 59)
    throw new X509Error(`${what}: not a date`)
  return time
}

function twoDigits(bytes: Uint8Array, at: number, what: string): number {
  const [tens, ones] = [(bytes[at] ?? 0) - 0x30, (bytes[at + 1] ?? 0) - 0x30]
  if (tens < 0 || tens > 9 || ones < 0 || ones > 9) throw new X509Error(`${what}: not a time of RFC 5280`)
  return tens * 10 + ones
}

/** Encodes one element. */
export function der(tag: number, ...content: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const body = concat(...content)
  const { length } = body
  if (length < 0x80) return concat(Uint8Array.of(tag, length), body)
  if (length < 0x100) return concat(Uint8Array.of(tag, 0x81, length), body)
  if (length < 0x10000) return concat(Uint8Array.of(tag, 0x82, length >> 8, length & 0xff), body)
  return concat(Uint8Array.of(tag, 0x83, length >> 16, (length >> 8) & 0xff, length & 0xff), body)
}

/** Encodes a dotted object identifier. */
export function derOid(dotted: string): Uint8Array<ArrayBuffer> {
  const [top = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const bytes: number[] = []
  for (const arc of [top * 40 + second, ...rest]) {
    const groups = [arc % 128]
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128))
      groups.unshift((left % 128) | 0x80)
    bytes.push(...groups)
  }
  return der(TAG.oid, Uint8Array.from(bytes))
}

/** Encodes big-endian unsigned bytes as an INTEGER. */
export function derUnsigned(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  let start = 0
  while (start < bytes.length - 1 && bytes[start] === 0) start++
  const value = bytes.subarray(start)
  const pad = value.length === 0 || ((value[0] ?? 0) & 0x80) !== 0
  return der(TAG.integer, pad ? Uint8Array.of(0) : new Uint8Array(), value)
}

/** Encodes a non-negative number below 2^31 as an INTEGER. */
export function derNumber(value: number): Uint8Array<ArrayBuffer> {
  return derUnsigned(Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff))
}

/** Encodes milliseconds since 1970 as UTCTime to 2049 and GeneralizedTime from 2050 on (RFC 5280). */
export function derTime(ms: number): Uint8Array<ArrayBuffer> {
  const text = `${new Date(ms).toISOString().slice(0, 19).replace(/[-T:]/g, '')}Z`
  const year = Number(text.slice(0, 4))
  return year >= 1950 && year < 2050
    ? der(TAG.utcTime, utf8(text.slice(2)))
    : der(TAG.generalizedTime, utf8(text))
}
