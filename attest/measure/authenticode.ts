/**
 * The Authenticode digest of a PE/COFF image, as firmware extends it when it loads a kernel: PE/COFF Specification 8,
 * appendix A, the way OVMF's measured boot does it. Excluded are the checksum, the directory entry of the certificate
 * table and that table itself, so that signing an image does not change its digest.
 *
 * Where firmware and the specification leave room (overlapping sections, a certificate table that is not the end of
 * the file), the image is refused instead of guessed at.
 */

import { concat } from '../bytes.ts'
import { MeasureError } from './errors.ts'
import { ImageReader } from './reader.ts'

const PE32 = 0x10b
const PE32_PLUS = 0x20b
const SECURITY_DIRECTORY = 4
/** The largest image that is looked at, bytes. */
const MAX_IMAGE = 256 * 1024 * 1024

/** Where the parts of the headers are that the digest treats differently. Absolute file offsets. */
interface Headers {
  checksum: number
  /** The directory entry of the certificate table, 8 bytes; absent in images with fewer directories. */
  certificateEntry: number | undefined
  headersSize: number
  sections: readonly { offset: number; size: number }[]
}

/** The ranges of a PE/COFF image that its Authenticode digest covers, in order. Throws MeasureError. */
export function authenticodeParts(image: Uint8Array): Uint8Array[] {
  if (image.length > MAX_IMAGE) throw new MeasureError(`kernel: more than ${MAX_IMAGE} bytes`)
  const reader = new ImageReader(image, 'kernel')
  const { checksum, certificateEntry, headersSize, sections } = readHeaders(reader)
  const range = (start: number, end: number, what: string) => reader.slice(start, end - start, what)
  const parts = [range(0, checksum, 'header')]
  if (certificateEntry === undefined) parts.push(range(checksum + 4, headersSize, 'header'))
  else {
    parts.push(range(checksum + 4, certificateEntry, 'header'))
    parts.push(range(certificateEntry + 8, headersSize, 'header'))
  }
  let hashed = headersSize
  let end = headersSize
  for (const { offset, size } of sections) {
    if (offset < end) throw new MeasureError(`kernel: a section at ${offset} overlaps what is before it`)
    parts.push(reader.slice(offset, size, 'section'))
    hashed += size
    end = offset + size
  }
  const certificates = certificateBytes(reader, certificateEntry, end)
  // The specification counts bytes here, not positions: with gaps between sections this starts before their end.
  parts.push(range(hashed, Math.max(hashed, image.length - certificates), 'data behind the sections'))
  return parts
}

/** The Authenticode digest: 48 bytes for SHA-384, 32 for SHA-256. Throws MeasureError. */
export async function authenticodeDigest(
  image: Uint8Array,
  hash: 'SHA-256' | 'SHA-384' = 'SHA-384',
): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest(hash, concat(...authenticodeParts(image))))
}

function readHeaders(reader: ImageReader): Headers {
  if (reader.u16(0, 'MZ signature') !== 0x5a4d)
    throw new MeasureError(
      'kernel: no MZ signature: not an EFI executable. Give the bzImage (vmlinuz), not vmlinux',
    )
  const pe = reader.u32(0x3c, 'offset of the PE header')
  if (pe < 0x40 || reader.u32(pe, 'PE signature') !== 0x4550)
    throw new MeasureError('kernel: no PE signature: this kernel has no EFI stub (CONFIG_EFI_STUB)')
  const coff = pe + 4
  const optional = coff + 20
  const optionalSize = reader.u16(coff + 16, 'size of the optional header')
  const magic = reader.u16(optional, 'optional header')
  if (magic !== PE32 && magic !== PE32_PLUS)
    throw new MeasureError(`kernel: optional header of the unknown kind 0x${magic.toString(16)}`)
  const directories = optional + (magic === PE32_PLUS ? 112 : 96)
  const directoryCount = reader.u32(directories - 4, 'number of directories')
  if (directoryCount > 16 || directories + directoryCount * 8 > optional + optionalSize)
    throw new MeasureError(`kernel: ${directoryCount} directories do not fit into the optional header`)
  const sectionTable = optional + optionalSize
  const sectionCount = reader.u16(coff + 2, 'number of sections')
  const headersSize = reader.u32(optional + 60, 'size of the headers')
  if (headersSize < sectionTable + sectionCount * 40 || headersSize > reader.bytes.length)
    throw new MeasureError(`kernel: headers of ${headersSize} bytes are impossible`)
  return {
    checksum: optional + 64,
    certificateEntry: directoryCount > SECURITY_DIRECTORY ? directories + SECURITY_DIRECTORY * 8 : undefined,
    headersSize,
    sections: readSections(reader, sectionTable, sectionCount),
  }
}

function readSections(reader: ImageReader, table: number, count: number): Headers['sections'] {
  return Array.from({ length: count }, (_, i) => ({
    size: reader.u32(table + 40 * i + 16, `size of section ${i}`),
    offset: reader.u32(table + 40 * i + 20, `offset of section ${i}`),
  }))
    .filter(({ size }) => size > 0)
    .toSorted((a, b) => a.offset - b.offset)
}

/** How many bytes at the end of the file are the certificate table. */
function certificateBytes(reader: ImageReader, entry: number | undefined, minimum: number): number {
  if (entry === undefined) return 0
  const offset = reader.u32(entry, 'offset of the certificate table')
  const size = reader.u32(entry + 4, 'size of the certificate table')
  if (offset === 0 && size === 0) return 0
  if (offset < minimum || offset + size !== reader.bytes.length)
    throw new MeasureError('kernel: the certificate table is not the end of the file')
  return size
}
