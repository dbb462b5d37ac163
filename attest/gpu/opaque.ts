/** The opaque data of a measurement report: the fields that NVIDIA's own verifiers read, with their forms checked. */

import { isZero, toHex } from '../bytes.ts'
import { GpuError } from './errors.ts'

/** Type numbers of opaque fields. */
export const FIELD = {
  driverVersion: 3,
  vbiosVersion: 6,
  nvdec0: 11,
  chipSku: 15,
  project: 17,
  projectSku: 18,
  fwid: 20,
  protectedPcie: 21,
  /** A GPU's list of the switches at its links; a switch's own id. */
  switchPdi: 22,
  /** A switch's list of the GPUs at its ports. */
  gpuPdis: 26,
  version: 34,
  featureFlag: 36,
} as const

/** Newest version of the opaque data (field 34) whose meaning is known here. */
const MAX_VERSION = 1

/**
 * How the device protects its links. SPT: one GPU for one guest; MPT: several GPUs, NVLink encrypted; PPCIE: several
 * GPUs and their switches, NVLink trusted as it is; CC: confidential, from a driver too old to say which of SPT or MPT.
 */
export type GpuMode = 'SPT' | 'MPT' | 'PPCIE' | 'CC'

/** What a report says of its device; absent is what it does not say. */
export interface Facts {
  driver?: string
  /** Lower case, `96.00.9f.00.01`. */
  vbios?: string
  project?: string
  projectSku?: string
  chipSku?: string
  /** Whether the NVDEC0 unit is on; measurement 35 means something only then. */
  nvdec0?: boolean
  /** 48: digest of the firmware that holds the signing key */ fwid?: Uint8Array
  mode?: GpuMode
  /** 8 bytes each, hex; links that go nowhere are left out. */
  switchPdis?: readonly string[]
  gpuPdis?: readonly string[]
  version?: number
}

/** Reads the known fields. Throws GpuError ERR_GPU_REPORT for one of the wrong form, or a version from the future. */
export function readFacts(opaque: ReadonlyMap<number, Uint8Array>): Facts {
  const get = <T>(type: number, read: (value: Uint8Array, type: number) => T): T | undefined => {
    const value = opaque.get(type)
    return value === undefined ? undefined : read(value, type)
  }
  const version = get(FIELD.version, u16)
  if (version !== undefined && version > MAX_VERSION) {
    throw fieldError(FIELD.version, `version ${version} is newer than this verifier: update it`)
  }
  return dropAbsent({
    driver: get(FIELD.driverVersion, text),
    vbios: get(FIELD.vbiosVersion, vbiosText),
    project: get(FIELD.project, text),
    projectSku: get(FIELD.projectSku, text),
    chipSku: get(FIELD.chipSku, text),
    nvdec0: get(FIELD.nvdec0, onOff),
    fwid: get(FIELD.fwid, fwid),
    mode: readMode(get(FIELD.protectedPcie, onOff), get(FIELD.featureFlag, u16), version),
    switchPdis: get(FIELD.switchPdi, pdis),
    gpuPdis: get(FIELD.gpuPdis, pdis),
    version,
  })
}

/** Version 1 of the data carries the feature flag; before it there is only the protected PCIe status. */
function readMode(
  pcie: boolean | undefined,
  flag: number | undefined,
  version: number | undefined,
): GpuMode | undefined {
  if (flag === undefined) {
    if (version === MAX_VERSION)
      throw fieldError(FIELD.featureFlag, 'absent, although the version demands it')
    return pcie === undefined ? undefined : pcie ? 'PPCIE' : 'CC'
  }
  const mode = (['SPT', 'MPT', 'PPCIE'] as const)[flag]
  if (mode === undefined) throw fieldError(FIELD.featureFlag, `mode ${flag} is unknown`)
  if (pcie !== undefined && pcie !== (mode === 'PPCIE')) {
    throw fieldError(FIELD.featureFlag, 'contradicts the protected PCIe status')
  }
  return mode
}

function text(value: Uint8Array, type: number): string {
  let end = value.length
  while (end > 0 && value[end - 1] === 0) end--
  const characters = String.fromCharCode(...value.subarray(0, Math.min(end, 64)))
  if (end > 64 || !/^[0-9A-Za-z.]+$/.test(characters)) throw fieldError(type, 'not a short text')
  return characters
}

/** A GPU writes four bytes, last first, and one more; a switch writes text. */
function vbiosText(value: Uint8Array, type: number): string {
  if (value.length !== 8) {
    const found = text(value, type).toLowerCase()
    if (!/^[0-9a-f]{2}(\.[0-9a-f]{2}){4}$/.test(found)) throw fieldError(type, 'not a version')
    return found
  }
  if (!isZero(value.subarray(5))) throw fieldError(type, 'padding is not zero')
  const parts = [...value.subarray(0, 4)].reverse().concat([...value.subarray(4, 5)])
  return parts.map((byte) => byte.toString(16).padStart(2, '0')).join('.')
}

function onOff(value: Uint8Array, type: number): boolean {
  const [byte] = value
  if (value.length !== 1 || (byte !== 0xaa && byte !== 0x55))
    throw fieldError(type, 'neither on (aa) nor off (55)')
  return byte === 0xaa
}

function u16(value: Uint8Array, type: number): number {
  if (value.length !== 2) throw fieldError(type, 'not 2 bytes')
  return (value[0] ?? 0) + (value[1] ?? 0) * 256
}

function fwid(value: Uint8Array, type: number): Uint8Array {
  if (value.length !== 48) throw fieldError(type, 'not 48 bytes')
  return value
}

/** Distinct ids in the order of their first port; zeros stand for a port that leads nowhere. */
function pdis(value: Uint8Array, type: number): string[] {
  if (value.length % 8 !== 0 || value.length > 64 * 8) throw fieldError(type, 'not a list of 8-byte ids')
  const all = Array.from({ length: value.length / 8 }, (_, i) => toHex(value.subarray(i * 8, i * 8 + 8)))
  return [...new Set(all)].filter((id) => !/^0+$/.test(id))
}

function fieldError(type: number, problem: string): GpuError {
  return new GpuError('ERR_GPU_REPORT', `opaque field ${type}: ${problem}`)
}

type Loose<T> = { [K in keyof T]: T[K] | undefined }

function dropAbsent(facts: Loose<Facts>): Facts {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as Facts
}
