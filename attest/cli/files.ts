/** Reading what flags name: files of bounded size, times, byte strings; what cannot be used names its flag and the cure. */

import { open } from 'node:fs/promises'
import { fromHex } from '../bytes.ts'
import { ArgumentError } from './command.ts'
import { type Io, pathOf } from './io.ts'

/** The largest file that is read, in bytes. */
export const MAX_FILE = 16 * 1024 * 1024

const CURES: Record<string, string> = {
  ENOENT: 'there is no such file; check the path',
  EACCES: 'may not be read; check its permissions',
  EPERM: 'may not be read; check its permissions',
  EISDIR: 'is a folder, and a file is needed',
  ENOTDIR: 'a part of the path is no folder; check the path',
  ENAMETOOLONG: 'is too long for a path',
}

/** The sentence for a path that cannot be read, of an error of node:fs. */
export function unreadable(error: unknown): string {
  const code = (error as NodeJS.ErrnoException | undefined)?.code ?? 'unknown error'
  return CURES[code] ?? `cannot be read (${code})`
}

/**
 * Reads the whole file that a flag names.
 * @throws ArgumentError that names the flag
 */
export async function readInput(io: Io, flag: string, path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    await using file = await open(pathOf(io, path))
    const stat = await file.stat()
    if (stat.isDirectory()) throw new ArgumentError(`${flag} ${path}: ${CURES.EISDIR}`)
    // A pipe has no size of its own: read up to the bound, and one byte more to know that there is more.
    const bytes = await readBounded(file)
    if (bytes === undefined)
      throw new ArgumentError(`${flag} ${path}: is larger than ${MAX_FILE} bytes, which no evidence is`)
    return bytes
  } catch (error) {
    if (error instanceof ArgumentError) throw error
    throw new ArgumentError(`${flag} ${path}: ${unreadable(error)}`, { cause: error })
  }
}

interface Readable {
  read(buffer: Uint8Array, offset: number, length: number): Promise<{ bytesRead: number }>
}

async function readBounded(file: Readable): Promise<Uint8Array<ArrayBuffer> | undefined> {
  let buffer = new Uint8Array(64 * 1024)
  let length = 0
  for (;;) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length)
    if (bytesRead === 0) return buffer.slice(0, length)
    length += bytesRead
    if (length > MAX_FILE) return undefined
    if (length < buffer.length) continue
    const larger = new Uint8Array(buffer.length * 4)
    larger.set(buffer)
    buffer = larger
  }
}

const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,3})?(Z|[+-]\d{2}:\d{2})$/

/**
 * A time with its zone, in ms: `2026-06-09T00:00:00Z`.
 * @throws ArgumentError for anything that is not exactly one moment
 */
export function readTime(flag: string, text: string): number {
  const value = TIME.test(text) ? Date.parse(text) : Number.NaN
  // Date.parse takes 30 February for 2 March, in UTC; so does no calendar.
  const [day] = text.split('T')
  const real = !Number.isNaN(value) && new Date(`${day}T00:00:00Z`).toISOString().startsWith(day ?? '')
  if (!real) throw new ArgumentError(`${flag} ${text}: is no time; write it as 2026-06-09T00:00:00Z`)
  return value
}

/**
 * Bytes in hex of exactly `length` bytes; either letter case.
 * @throws ArgumentError
 */
export function readHex(flag: string, text: string, length: number): Uint8Array {
  if (!new RegExp(`^[0-9a-fA-F]{${length * 2}}$`).test(text))
    throw new ArgumentError(`${flag}: expected ${length} bytes as ${length * 2} hex digits`)
  return fromHex(text.toLowerCase())
}
