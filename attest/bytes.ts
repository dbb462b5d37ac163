/** Byte helpers that run in Node and in browsers alike. */

import { base64, base64urlnopad, hex } from '@scure/base'

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Encodes text as UTF-8. */
export function utf8(text: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(text)
}

/** Decodes UTF-8; throws a TypeError on malformed input rather than inserting U+FFFD. */
export function fromUtf8(bytes: Uint8Array): string {
  return decoder.decode(bytes)
}

/** Joins byte arrays into one new array. */
export function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  let length = 0
  for (const part of parts) length += part.length
  const joined = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    joined.set(part, offset)
    offset += part.length
  }
  return joined
}

/** Compares two byte arrays in time that depends on their lengths only. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  let difference = 0
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number)
  return difference === 0
}

/** Whether all bytes are zero, in time that depends on their number only; true of none. */
export function isZero(bytes: Uint8Array): boolean {
  let seen = 0
  for (const byte of bytes) seen |= byte
  return seen === 0
}

/** Big-endian unsigned 32-bit integer, 4 bytes. */
export function u32be(value: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value)
  return bytes
}

/** Little-endian unsigned 16-bit integer, 2 bytes. */
export function u16le(value: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(value & 0xff, value >>> 8)
}

/** Little-endian unsigned 32-bit integer, 4 bytes. */
export function u32le(value: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value, true)
  return bytes
}

/** Text as UTF-16, little endian, without a mark or an end. */
export function utf16le(text: string): Uint8Array<ArrayBuffer> {
  return concat(...Array.from({ length: text.length }, (_, i) => u16le(text.charCodeAt(i))))
}

/** What is used of Node's Buffer; a browser has none. */
interface Codec {
  from(text: string, encoding: Encoding): Uint8Array<ArrayBuffer> & Encodable
  from(bytes: ArrayBufferLike, offset: number, length: number): Encodable
}
type Encoding = 'hex' | 'base64' | 'base64url'
interface Encodable {
  toString(encoding: Encoding): string
}

/** Node's own codec takes a tenth of the time of one in JavaScript, which is kept for browsers. */
const codec = (globalThis as { Buffer?: Codec }).Buffer

function encode(bytes: Uint8Array, encoding: Encoding): string | undefined {
  return codec?.from(bytes.buffer, bytes.byteOffset, bytes.length).toString(encoding)
}

/** Node decodes what it can and leaves out the rest: only a text that comes back the same was all of it, canonically. */
function decode(text: string, encoding: Encoding): Uint8Array<ArrayBuffer> | undefined {
  if (!codec) return undefined
  const bytes = codec.from(text, encoding)
  if (bytes.toString(encoding) !== text) throw new SyntaxError(`not canonical ${encoding}`)
  // A copy: the codec's bytes may be a part of a pool.
  return new Uint8Array(bytes)
}

/** Lower-case hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  return encode(bytes, 'hex') ?? hex.encode(bytes)
}

/** Parses lower-case hexadecimal of even length; throws on anything else. */
export function fromHex(text: string): Uint8Array {
  if (text !== text.toLowerCase()) throw new SyntaxError('hexadecimal here is lower-case')
  return decode(text, 'hex') ?? hex.decode(text)
}

/** Standard base64 with padding. */
export function toBase64(bytes: Uint8Array): string {
  return encode(bytes, 'base64') ?? base64.encode(bytes)
}

/** Parses standard base64 with padding, canonically; throws on anything else. */
export function fromBase64(text: string): Uint8Array {
  return decode(text, 'base64') ?? base64.decode(text)
}

/** base64url without padding. */
export function toBase64Url(bytes: Uint8Array): string {
  return encode(bytes, 'base64url') ?? base64urlnopad.encode(bytes)
}

/** Parses base64url without padding, canonically; throws on anything else. */
export function fromBase64Url(text: string): Uint8Array {
  return decode(text, 'base64url') ?? base64urlnopad.decode(text)
}
