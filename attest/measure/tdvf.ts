/**
 * The metadata of a TDX virtual firmware (TDVF, OVMF): which parts of the file the VMM copies into the TD before it
 * starts, where, and which of them it measures. Layout: Intel's TDX Virtual Firmware Design Guide, section 11; the
 * table of GUIDs that leads there is OVMF's (ResetVector), read from the end of the file. Integers are little endian.
 */

import { equalBytes, fromHex, toHex } from '../bytes.ts'
import { MeasureError } from './errors.ts'
import { ImageReader } from './reader.ts'

/** A page of guest memory, bytes. */
export const PAGE = 4096

/** The largest firmware image that is looked at, bytes. Real ones have 2 to 16 MiB. */
const MAX_FIRMWARE = 64 * 1024 * 1024

// Pages that are added before the start, 256 MiB of them: more would not be a firmware.
const MAX_PAGES = 65_536
const MAX_SECTIONS = 64

// GUIDs as they lie in the file: the first three groups little endian.
const FOOTER_GUID = fromHex('de82b596b21ff745baeaa366c55a082d')
const TDX_METADATA_GUID = '35657ae44a989847865e4685a7bf8ec2'

/** Bytes between the end of the GUID table and the end of the file (the reset vector). */
const AFTER_TABLE = 32
/** u16 length and GUID, at the end of every entry. */
const ENTRY_TAIL = 18

const SECTION_NAMES = ['BFV', 'CFV', 'TD_HOB', 'TempMem', 'PermMem', 'Payload', 'PayloadParam'] as const
const EXTEND = 1
const AUGMENT = 2

/** One section of the TDVF metadata. */
export interface TdvfSection {
  type: (typeof SECTION_NAMES)[number]
  /** Where the content lies in the file. */
  dataOffset: number
  /** Bytes of content in the file; 0 for plain memory. */
  dataSize: number
  /** Guest physical address, a multiple of 4096. */
  address: number
  /** Bytes of guest memory, a multiple of 4096. */
  memorySize: number
  /** Whether the content goes into MRTD (MR.EXTEND). */
  extend: boolean
  /** Whether the pages are added after the start, and so leave no trace in MRTD (PAGE_AUG). */
  augment: boolean
}

/** Parses the TDVF metadata of a firmware image. Throws MeasureError. */
export function parseTdvf(image: Uint8Array): TdvfSection[] {
  if (image.length > MAX_FIRMWARE) throw new MeasureError(`firmware: more than ${MAX_FIRMWARE} bytes`)
  const reader = new ImageReader(image, 'firmware')
  const start = findMetadata(reader)
  if (toHex(reader.slice(start, 4, 'TDVF signature')) !== '54445646')
    throw new MeasureError('firmware: the TDVF metadata does not start with "TDVF"')
  const version = reader.u32(start + 8, 'TDVF version')
  if (version !== 1) throw new MeasureError(`firmware: TDVF metadata version ${version} is not 1`)
  const count = reader.u32(start + 12, 'number of TDVF sections')
  if (count === 0 || count > MAX_SECTIONS)
    throw new MeasureError(`firmware: ${count} TDVF sections; 1 to ${MAX_SECTIONS} are possible`)
  const length = reader.u32(start + 4, 'length of the TDVF metadata')
  if (length !== 16 + 32 * count)
    throw new MeasureError(`firmware: TDVF metadata of ${length} bytes cannot hold ${count} sections`)
  const sections = Array.from({ length: count }, (_, i) => readSection(reader, start + 16 + 32 * i, i))
  checkTogether(sections)
  return sections
}

/** Walks OVMF's table of GUIDs backwards to the entry that says where the TDVF metadata is. */
function findMetadata(reader: ImageReader): number {
  const length = reader.bytes.length
  const footer = length - AFTER_TABLE - 16
  if (footer < 2 || !equalBytes(reader.slice(footer, 16, 'footer'), FOOTER_GUID)) {
    throw new MeasureError(
      'firmware: there is no OVMF GUID table before the last 32 bytes: this is not an OVMF or TDVF image for x86-64',
    )
  }
  const tableLength = reader.u16(footer - 2, 'length of the GUID table')
  const tableStart = length - AFTER_TABLE - tableLength
  let end = footer - 2
  if (tableStart < 0 || tableStart > end)
    throw new MeasureError(`firmware: a GUID table of ${tableLength} bytes is impossible`)
  while (end - tableStart >= ENTRY_TAIL) {
    const entry = reader.u16(end - ENTRY_TAIL, 'length of a GUID entry')
    if (entry < ENTRY_TAIL || entry > end - tableStart)
      throw new MeasureError(`firmware: an entry of the GUID table claims ${entry} bytes`)
    if (toHex(reader.slice(end - 16, 16, 'GUID')) === TDX_METADATA_GUID) {
      if (entry !== ENTRY_TAIL + 4)
        throw new MeasureError(`firmware: the TDX metadata entry has ${entry} bytes instead of 22`)
      return length - reader.u32(end - entry, 'offset of the TDVF metadata')
    }
    end -= entry
  }
  throw new MeasureError(
    'firmware: no TDX metadata: this build of OVMF cannot start a TD. Debian ships one that can as /usr/share/ovmf/OVMF.fd',
  )
}

function readSection(reader: ImageReader, at: number, index: number): TdvfSection {
  const what = `TDVF section ${index}`
  const typeNumber = reader.u32(at + 24, what)
  const type = SECTION_NAMES[typeNumber]
  if (type === undefined) throw new MeasureError(`firmware: ${what} has the unknown type ${typeNumber}`)
  const attributes = reader.u32(at + 28, what)
  if ((attributes & ~(EXTEND | AUGMENT)) !== 0 || attributes === (EXTEND | AUGMENT))
    throw new MeasureError(
      `firmware: ${what} (${type}) has impossible attributes 0x${attributes.toString(16)}`,
    )
  const section: TdvfSection = {
    type,
    dataOffset: reader.u32(at, what),
    dataSize: reader.u32(at + 4, what),
    address: reader.u64(at + 8, `address of ${what}`),
    memorySize: reader.u64(at + 16, `memory size of ${what}`),
    extend: (attributes & EXTEND) !== 0,
    augment: (attributes & AUGMENT) !== 0,
  }
  checkSection(section, what, reader.bytes.length)
  return section
}

function checkSection(section: TdvfSection, what: string, fileSize: number): void {
  const name = `${what} (${section.type})`
  if (section.address % PAGE !== 0 || section.memorySize % PAGE !== 0 || section.memorySize === 0)
    throw new MeasureError(`firmware: ${name} does not consist of whole pages`)
  if (section.dataOffset + section.dataSize > fileSize) {
    throw new MeasureError(
      `firmware: ${name} ends at ${section.dataOffset + section.dataSize}, but the file has ${fileSize} bytes: this is one half of a firmware (OVMF_CODE). Give the whole image, with the variable store in front (OVMF.fd)`,
    )
  }
  if (section.dataSize > section.memorySize)
    throw new MeasureError(`firmware: ${name} has more content than memory`)
  // What a VMM puts behind content that is shorter than its memory is not written down anywhere.
  if (section.extend && section.dataSize !== section.memorySize)
    throw new MeasureError(`firmware: ${name} is measured, but the file does not hold all of its content`)
}

/** Sections that claim the same memory would be measured by one VMM and refused by the next. */
function checkTogether(sections: readonly TdvfSection[]): void {
  const sorted = sections.toSorted((a, b) => a.address - b.address)
  for (const [i, section] of sorted.entries()) {
    const next = sorted[i + 1]
    if (next !== undefined && section.address + section.memorySize > next.address)
      throw new MeasureError(`firmware: the TDVF sections ${section.type} and ${next.type} overlap in memory`)
  }
  const pages = sections
    .filter(({ augment }) => !augment)
    .reduce((sum, { memorySize }) => sum + memorySize / PAGE, 0)
  if (pages > MAX_PAGES)
    throw new MeasureError(
      `firmware: ${pages} pages before the start; no more than ${MAX_PAGES} are possible`,
    )
}
