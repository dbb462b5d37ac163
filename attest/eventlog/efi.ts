/** UEFI_VARIABLE_DATA, as firmware measures variables (PC Client Platform Firmware Profile, section 10.2.6). */

import { toHex } from '../bytes.ts'

interface EfiVariable {
  /** In the usual notation with dashes. */
  guid: string
  name: string
  /** The variable's value. */
  value: Uint8Array
}

const HEADER = 32
const MEDIA_PATH = 4
const FILE_PATH = 4
const GLOBAL = '8be4df61-93ca-11d2-aa0d-00e098032b8c'

/**
 * Reads GUID (16) || u64 name length in UTF-16 units || u64 value length || name || value, all nesting exactly.
 * Undefined when the bytes are not that.
 */
export function parseEfiVariable(bytes: Uint8Array): EfiVariable | undefined {
  if (bytes.length < HEADER) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const units = view.getBigUint64(16, true)
  const valueLength = view.getBigUint64(24, true)
  if (BigInt(HEADER) + units * 2n + valueLength !== BigInt(bytes.length)) return undefined
  const valueAt = HEADER + Number(units) * 2
  const name = utf16(bytes.subarray(HEADER, valueAt))
  return { guid: guidText(bytes.subarray(0, 16)), name, value: bytes.subarray(valueAt) }
}

/** Whether this is the variable that tells if Secure Boot is on. */
export function isSecureBoot({ guid, name }: EfiVariable): boolean {
  return guid === GLOBAL && name === 'SecureBoot'
}

/**
 * The file names in the device path of UEFI_IMAGE_LOAD_EVENT (location, length, link address and path length, 8 bytes
 * each, then the path). Empty when there is none, or the path is malformed.
 */
export function imagePath(bytes: Uint8Array): string {
  let text = ''
  for (let at = 32; at + 4 <= bytes.length; ) {
    const length = (bytes[at + 2] as number) | ((bytes[at + 3] as number) << 8)
    if (length < 4 || at + length > bytes.length) break
    const isFileName = bytes[at] === MEDIA_PATH && bytes[at + 1] === FILE_PATH
    if (isFileName) text += utf16(bytes.subarray(at + 4, at + length)).replace(/\0$/, '')
    at += length
  }
  return text
}

/** UTF-16LE text; malformed surrogates become U+FFFD, and an odd last byte is left out. */
export function utf16(bytes: Uint8Array): string {
  let text = ''
  for (let i = 0; i + 1 < bytes.length; i += 2) {
    text += String.fromCharCode((bytes[i] as number) | ((bytes[i + 1] as number) << 8))
  }
  return text.toWellFormed()
}

// The first three groups are little endian (RFC 9562 calls the other order the rule; UEFI keeps Microsoft's).
function guidText(bytes: Uint8Array): string {
  const groups = [
    bytes.slice(0, 4).reverse(),
    bytes.slice(4, 6).reverse(),
    bytes.slice(6, 8).reverse(),
    bytes.slice(8, 10),
    bytes.slice(10),
  ]
  return groups.map(toHex).join('-')
}
