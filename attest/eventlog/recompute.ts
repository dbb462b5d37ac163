/**
 * Which bytes of a firmware or boot loader event were measured, by its type. Rules: TCG PC Client Platform Firmware
 * Profile section 10.4.1, and what EDK II, shim, GRUB and Linux do where the profile leaves room; each was compared with
 * logs of real machines. A type is a label that nothing measures, so a rule can only lower what is believed.
 */

import { sha384 } from '@noble/hashes/sha2.js'
import { equalBytes, toHex, utf8 } from '../bytes.ts'
import { parseEfiVariable } from './efi.ts'
import { type Check, DIGEST_LENGTH } from './log.ts'
import { EV, typeName } from './types.ts'

export interface Recomputed {
  check: Check
  measured: Uint8Array | undefined
  problem: string | undefined
}

/** The parts of an event's data that may have been measured, and whether one of them must have been. */
interface Rule {
  must: boolean
  parts: Uint8Array[]
}

/** A separator's data: the normal one, and the one of firmware without a separate error value. */
const SEPARATORS: readonly Uint8Array[] = [new Uint8Array(4), new Uint8Array(4).fill(0xff)]
const SEPARATOR_DIGESTS = new Set(SEPARATORS.map((data) => toHex(sha384(data))))

/** Whole data measured, without exception in the profile. */
const WHOLE: ReadonlySet<number> = new Set([
  EV.separator,
  EV.action,
  EV.crtmVersion,
  EV.omitBootDeviceEvents,
  EV.dstackRuntime,
  EV.variableDriverConfig,
  EV.gpt,
  EV.efiAction,
  EV.variableBoot2,
  EV.variableAuthority,
])

// GRUB logs a word of explanation before the text that it measures; the names with a blank alone are Fedora's old patch.
const GRUB_PREFIXES = [
  'grub_cmd: ',
  'kernel_cmdline: ',
  'module_cmdline: ',
  'grub_kernel_cmdline ',
  'grub_cmd ',
]

/** Compares an event's digest (48 bytes) with what its data says was measured. */
export function recompute(type: number, digest: Uint8Array, data: Uint8Array): Recomputed {
  // A separator under another label would move what counts as measured before the operating system.
  if (type !== EV.separator && isSeparatorDigest(digest)) {
    return mismatch(`${typeName(type)} with the digest of a separator`)
  }
  if (type === EV.separator && !SEPARATORS.some((known) => equalBytes(known, data))) {
    return mismatch('a separator of another value: the firmware reports an error, or the log was changed')
  }
  const { must, parts } = ruleOf(type, data)
  const measured = parts.find((part) => equalBytes(sha384(part), digest))
  if (measured !== undefined) return { check: 'recomputed', measured, problem: undefined }
  if (must) return mismatch(`the data of this ${typeName(type)} does not hash to its digest`)
  return { check: 'opaque', measured: undefined, problem: undefined }
}

/** Whether a digest is that of a separator, whatever the log calls the event. */
export function isSeparatorDigest(digest: Uint8Array): boolean {
  return digest.length === DIGEST_LENGTH && SEPARATOR_DIGESTS.has(toHex(digest))
}

function ruleOf(type: number, data: Uint8Array): Rule {
  if (WHOLE.has(type)) return { must: true, parts: [data] }
  if (type === EV.variableBoot) return bootVariable(data)
  if (type === EV.ipl) return bootLoaderText(data)
  if (type === EV.eventTag) return { must: false, parts: [taggedData(data), data] }
  return { must: false, parts: [data] }
}

// EDK II measures the value alone, the profile's own words mean the whole structure.
function bootVariable(data: Uint8Array): Rule {
  const variable = parseEfiVariable(data)
  return { must: true, parts: variable === undefined ? [data] : [variable.value, data] }
}

// The rest of EV_IPL is a name (file, MOK list) beside the digest of what has that name, or systemd's own text.
function bootLoaderText(data: Uint8Array): Rule {
  const prefix = GRUB_PREFIXES.find((text) => startsWith(data, utf8(text)))
  if (prefix === undefined) return { must: false, parts: [data] }
  const text = data.subarray(prefix.length)
  const ended = text.at(-1) === 0
  return { must: true, parts: ended ? [text.subarray(0, -1), text] : [text] }
}

// u32 id || u32 length || data. systemd puts the measured text here; Linux puts a description of it.
function taggedData(data: Uint8Array): Uint8Array {
  if (data.length < 8) return data
  const length = new DataView(data.buffer, data.byteOffset, data.byteLength).getUint32(4, true)
  return length === data.length - 8 ? data.subarray(8) : data
}

function startsWith(bytes: Uint8Array, prefix: Uint8Array): boolean {
  return equalBytes(bytes.subarray(0, prefix.length), prefix)
}

function mismatch(problem: string): Recomputed {
  return { check: 'mismatch', measured: undefined, problem }
}
