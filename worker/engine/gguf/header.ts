/**
 * @module A strict, bounded reader of GGUF metadata (versions 2 and 3, little-endian). It runs in the worker
 * process on files that nobody vouches for, so it allocates nothing that the file merely claims to need.
 */

import { EngineError } from '../errors.ts'

/** Reads `length` bytes at `offset`, or fewer at the end of the file. */
export type ReadAt = (offset: number, length: number) => Uint8Array

/** The types of metadata values; the numbers are GGUF's. */
export const ggufType = {
  uint8: 0,
  int8: 1,
  uint16: 2,
  int16: 3,
  uint32: 4,
  int32: 5,
  float32: 6,
  bool: 7,
  string: 8,
  array: 9,
  uint64: 10,
  int64: 11,
  float64: 12,
} as const

export type GgufScalar = number | bigint | boolean | string

export interface GgufEntry {
  readonly type: number
  /** The bytes of key, type and value exactly as in the file. */
  readonly raw: Uint8Array
  /** A scalar, or the elements of a short array of strings (see {@link limits}); otherwise absent. */
  readonly value?: GgufScalar | readonly string[]
}

export interface GgufHeader {
  readonly version: number
  readonly tensorCount: number
  readonly entries: ReadonlyMap<string, GgufEntry>
}

/** Far above any model in use, far below what would hurt. Bytes, or numbers of elements. */
export const limits = {
  entries: 4096,
  tensors: 1_000_000,
  keyBytes: 65_535,
  headerBytes: 256 * 1024 * 1024,
  arrayElements: 4_000_000,
  /** Arrays of strings up to this length are decoded; longer ones are skipped over. */
  decodedStrings: 256,
} as const

const scalarBytes = new Map<number, number>([
  [ggufType.uint8, 1],
  [ggufType.int8, 1],
  [ggufType.uint16, 2],
  [ggufType.int16, 2],
  [ggufType.uint32, 4],
  [ggufType.int32, 4],
  [ggufType.float32, 4],
  [ggufType.bool, 1],
  [ggufType.uint64, 8],
  [ggufType.int64, 8],
  [ggufType.float64, 8],
])

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const chunkBytes = 1024 * 1024

function invalid(problem: string): EngineError {
  return new EngineError('ERR_MODEL_INVALID', `the model file is not a usable GGUF: ${problem}`)
}

/** Walks forward through the file; holds one window of it. */
class Cursor {
  offset = 0
  #read: ReadAt
  #window: Uint8Array = new Uint8Array(0)
  #start = 0

  constructor(read: ReadAt) {
    this.#read = read
  }

  /** The next `length` bytes; valid until the next call. */
  take(length: number): Uint8Array {
    if (this.offset + length > limits.headerBytes) throw invalid('its header is larger than 256 MiB')
    let from = this.offset - this.#start
    if (from < 0 || from + length > this.#window.length) {
      this.#start = this.offset
      this.#window = this.#read(this.offset, Math.max(length, chunkBytes))
      from = 0
      if (this.#window.length < length) throw invalid('it ends inside its header')
    }
    this.offset += length
    return this.#window.subarray(from, from + length)
  }

  view(length: number): DataView {
    const bytes = this.take(length)
    return new DataView(bytes.buffer, bytes.byteOffset, length)
  }

  u32(): number {
    return this.view(4).getUint32(0, true)
  }

  /** A length or count; `what` names it when it passes `limit`. */
  count(limit: number, what: string): number {
    const value = this.view(8).getBigUint64(0, true)
    if (value > BigInt(limit)) throw invalid(`it claims ${value} ${what}, more than ${limit}`)
    return Number(value)
  }

  text(limit: number): string {
    const bytes = this.take(this.count(limit, 'bytes of one text'))
    try {
      return decoder.decode(bytes)
    } catch {
      throw invalid('a text in its header is not UTF-8')
    }
  }

  skip(length: number): void {
    for (let left = length; left > 0; left -= chunkBytes) this.take(Math.min(left, chunkBytes))
  }
}

/** Reads a GGUF's metadata. Throws EngineError `ERR_MODEL_INVALID` that names the problem. */
export function readGgufHeader(read: ReadAt): GgufHeader {
  const cursor = new Cursor(read)
  if (decoderAscii(cursor.take(4)) !== 'GGUF') throw invalid('it does not begin with "GGUF"')
  const version = cursor.u32()
  if (version !== 2 && version !== 3) throw invalid(`version ${version} is not 2 or 3`)
  const tensorCount = cursor.count(limits.tensors, 'tensors')
  const entryCount = cursor.count(limits.entries, 'metadata entries')
  const entries = new Map<string, GgufEntry>()
  for (let i = 0; i < entryCount; i++) {
    const start = cursor.offset
    const key = cursor.text(limits.keyBytes)
    if (entries.has(key)) throw invalid(`the metadata key ${JSON.stringify(key)} occurs twice`)
    const type = cursor.u32()
    const value = readValue(cursor, type)
    const raw = readRange(read, start, cursor.offset)
    entries.set(key, value === undefined ? { type, raw } : { type, raw, value })
  }
  return { version, tensorCount, entries }
}

function decoderAscii(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes)
}

function readRange(read: ReadAt, start: number, end: number): Uint8Array {
  const bytes = read(start, end - start)
  if (bytes.length !== end - start) throw invalid('it ends inside its header')
  return bytes.slice()
}

function readValue(cursor: Cursor, type: number): GgufScalar | readonly string[] | undefined {
  if (type === ggufType.array) return readArray(cursor)
  if (type === ggufType.string) return cursor.text(limits.headerBytes)
  const size = scalarBytes.get(type)
  if (size === undefined) throw invalid(`metadata type ${type} is unknown`)
  return readScalar(cursor.view(size), type)
}

function readScalar(view: DataView, type: number): GgufScalar {
  if (type === ggufType.uint8) return view.getUint8(0)
  if (type === ggufType.int8) return view.getInt8(0)
  if (type === ggufType.uint16) return view.getUint16(0, true)
  if (type === ggufType.int16) return view.getInt16(0, true)
  if (type === ggufType.uint32) return view.getUint32(0, true)
  if (type === ggufType.int32) return view.getInt32(0, true)
  if (type === ggufType.float32) return view.getFloat32(0, true)
  if (type === ggufType.uint64) return view.getBigUint64(0, true)
  if (type === ggufType.int64) return view.getBigInt64(0, true)
  if (type === ggufType.float64) return view.getFloat64(0, true)
  const flag = view.getUint8(0)
  if (flag > 1) throw invalid('a boolean in its header is neither 0 nor 1')
  return flag === 1
}

function readArray(cursor: Cursor): readonly string[] | undefined {
  const type = cursor.u32()
  const length = cursor.count(limits.arrayElements, 'elements of one array')
  if (type !== ggufType.string) {
    const size = scalarBytes.get(type)
    if (size === undefined) throw invalid(`arrays of metadata type ${type} are not supported`)
    cursor.skip(size * length)
    return undefined
  }
  if (length <= limits.decodedStrings) return Array.from({ length }, () => cursor.text(limits.keyBytes))
  for (let i = 0; i < length; i++) cursor.skip(cursor.count(limits.headerBytes, 'bytes of one text'))
  return undefined
}
