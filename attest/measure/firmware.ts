/**
 * MRTD, the measurement of what a TD starts with, from the firmware file alone. The TDX module keeps one running
 * SHA-384 (Intel TDX Module Base Specification, TDH.MEM.PAGE.ADD and TDH.MR.EXTEND):
 *
 * - adding a page hashes 128 bytes: "MEM.PAGE.ADD", zeros to byte 16, the guest physical address (u64), zeros;
 * - measuring 256 bytes of it hashes 128 bytes: "MR.EXTEND", zeros to byte 16, the address (u64), zeros; then the
 *   256 bytes themselves.
 */

import { sha384 } from '@noble/hashes/sha2.js'
import { toHex, utf8 } from '../bytes.ts'
import { PAGE, parseTdvf, type TdvfSection } from './tdvf.ts'

/**
 * In which order a VMM calls the module: `per-page` adds each page and measures it at once (QEMU since 9, KVM's
 * KVM_TDX_INIT_MEM_REGION); `two-pass` adds all pages of a section, then measures them (the QEMU 8 builds for TDX).
 */
export type PageOrder = 'per-page' | 'two-pass'

export const PAGE_ORDERS: readonly PageOrder[] = ['per-page', 'two-pass']

const CHUNK = 256
const ADD = utf8('MEM.PAGE.ADD')
const EXTEND = utf8('MR.EXTEND')

/**
 * Predicts MRTD (48 bytes, hex) of a TD that boots this firmware image.
 *
 * @throws MeasureError when the file has no TDVF metadata that this code fully understands
 */
export function measureFirmware(image: Uint8Array, { order }: { order: PageOrder }): { mrTd: string } {
  const hash = sha384.create()
  const update = (bytes: Uint8Array): void => {
    hash.update(bytes)
  }
  for (const section of parseTdvf(image)) {
    if (section.augment) continue
    const pages = Array.from({ length: section.memorySize / PAGE }, (_, page) => page)
    if (order === 'two-pass') {
      for (const page of pages) addPage(update, section, page)
      for (const page of pages) extendPage(update, section, page, image)
    } else {
      for (const page of pages) {
        addPage(update, section, page)
        extendPage(update, section, page, image)
      }
    }
  }
  return { mrTd: toHex(hash.digest()) }
}

function addPage(update: (bytes: Uint8Array) => void, section: TdvfSection, page: number): void {
  update(record(ADD, section.address + page * PAGE))
}

function extendPage(
  update: (bytes: Uint8Array) => void,
  section: TdvfSection,
  page: number,
  image: Uint8Array,
): void {
  if (!section.extend) return
  for (let at = page * PAGE; at < (page + 1) * PAGE; at += CHUNK) {
    update(record(EXTEND, section.address + at))
    update(image.subarray(section.dataOffset + at, section.dataOffset + at + CHUNK))
  }
}

/** The 128 bytes that stand for one call: its name, and the guest physical address at byte 16. */
function record(name: Uint8Array, address: number): Uint8Array {
  const bytes = new Uint8Array(128)
  bytes.set(name)
  new DataView(bytes.buffer).setBigUint64(16, BigInt(address), true)
  return bytes
}
