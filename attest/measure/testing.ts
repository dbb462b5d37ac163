/** Firmware and kernel images for tests, built by the inverse of what the parsers read. */

import { concat, fromHex, u16le, u32le, utf8 } from '../bytes.ts'

const TYPES = ['BFV', 'CFV', 'TD_HOB', 'TempMem', 'PermMem', 'Payload', 'PayloadParam']

export interface SectionSpec {
  type: string | number
  dataOffset?: number
  dataSize?: number
  address: number
  memorySize: number
  attributes: number
}

export interface FirmwareSpec {
  sections: readonly SectionSpec[]
  /** Bytes before metadata and GUID table: the content that sections name. */
  content: Uint8Array
  /** What is written into the metadata instead of the right value. */
  version?: number
  length?: number
  count?: number
  /** Entries of the GUID table besides the one of TDX, nearer to the footer. */
  others?: readonly Uint8Array[]
  withoutTdx?: boolean
}

function u64(value: number): Uint8Array {
  const bytes = new Uint8Array(8)
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true)
  return bytes
}

/** An entry of OVMF's GUID table: data, length with header, GUID as it lies in the file. */
export function guidEntry(guid: string, data: Uint8Array): Uint8Array {
  return concat(data, u16le(data.length + 18), fromHex(guid))
}

/** A firmware: content, TDVF metadata, GUID table, 32 bytes of reset vector. */
export function buildFirmware(spec: FirmwareSpec): Uint8Array {
  const { sections, content } = spec
  const metadata = concat(
    utf8('TDVF'),
    u32le(spec.length ?? 16 + sections.length * 32),
    u32le(spec.version ?? 1),
    u32le(spec.count ?? sections.length),
    ...sections.map((section) =>
      concat(
        u32le(section.dataOffset ?? 0),
        u32le(section.dataSize ?? 0),
        u64(section.address),
        u64(section.memorySize),
        u32le(typeof section.type === 'number' ? section.type : TYPES.indexOf(section.type)),
        u32le(section.attributes),
      ),
    ),
  )
  const others = concat(...(spec.others ?? [guidEntry('de71f7007e1acb4f890e68c77e2fb44e', u32le(7))]))
  const tdxSize = spec.withoutTdx === true ? 0 : 22
  const tableLength = tdxSize + others.length + 18
  // From the start of the metadata to the end of the file.
  const back = metadata.length + tableLength + 32
  const tdx =
    spec.withoutTdx === true ? new Uint8Array(0) : guidEntry('35657ae44a989847865e4685a7bf8ec2', u32le(back))
  const footer = concat(u16le(tableLength), fromHex('de82b596b21ff745baeaa366c55a082d'))
  return concat(content, metadata, tdx, others, footer, new Uint8Array(32).fill(0x90))
}

export interface KernelSpec {
  /** Sections in the order of the table; written to the file in the order of `at`. */
  sections?: readonly { at: number; bytes: Uint8Array }[]
  headersSize?: number
  trailing?: Uint8Array
  certificates?: Uint8Array
  checksum?: number
  directories?: number
  plus?: boolean
}

/** Bytes that no constant would produce by chance. */
export function pattern(length: number, seed: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 17 + (i >> 8)) & 255)
}

const PE_AT = 0x40

/** A PE/COFF image that is also a bzImage by its setup header (boot protocol 2.15). */
export function buildKernel(spec: KernelSpec = {}): Uint8Array {
  const plus = spec.plus ?? true
  const directories = spec.directories ?? 6
  const headersSize = spec.headersSize ?? 0x400
  const sections = spec.sections ?? [
    { at: 0x400, bytes: pattern(0x200, 1) },
    { at: 0x600, bytes: pattern(0xa00, 2) },
  ]
  const optionalSize = (plus ? 112 : 96) + directories * 8
  const bodyEnd = Math.max(headersSize, ...sections.map(({ at, bytes }) => at + bytes.length))
  const trailing = spec.trailing ?? new Uint8Array(0)
  const certificates = spec.certificates ?? new Uint8Array(0)
  const image = concat(new Uint8Array(bodyEnd), trailing, certificates)
  const view = new DataView(image.buffer)
  image.set(utf8('MZ'))
  view.setUint32(0x3c, PE_AT, true)
  image.set(utf8('PE'), PE_AT)
  view.setUint16(PE_AT + 6, sections.length, true)
  view.setUint16(PE_AT + 20, optionalSize, true)
  const optional = PE_AT + 24
  view.setUint16(optional, plus ? 0x20b : 0x10b, true)
  view.setUint32(optional + 60, headersSize, true)
  view.setUint32(optional + 64, spec.checksum ?? 0x1234_5678, true)
  const table = optional + (plus ? 112 : 96)
  view.setUint32(table - 4, directories, true)
  if (directories > 4 && certificates.length > 0) {
    view.setUint32(table + 32, bodyEnd + trailing.length, true)
    view.setUint32(table + 36, certificates.length, true)
  }
  for (const [i, { at, bytes }] of sections.entries()) {
    const row = optional + optionalSize + i * 40
    image.set(utf8(`.s${i}`), row)
    view.setUint32(row + 16, bytes.length, true)
    view.setUint32(row + 20, at, true)
    image.set(bytes, at)
  }
  writeSetupHeader(image, view)
  return image
}

function writeSetupHeader(image: Uint8Array, view: DataView): void {
  if (image.length < 0x268) return
  image.set(utf8('HdrS'), 0x202)
  view.setUint16(0x206, 0x20f, true)
  view.setUint8(0x211, 1)
  view.setUint32(0x22c, 0x7fff_ffff, true)
  view.setUint16(0x236, 0x7f, true)
}
