/** Finds the real GPU evidence among the vectors, which are not part of this repository. */

import { fromUtf8, utf8 } from '../bytes.ts'
import { haveVectors, vectorBytes, vectorJson } from '../tdx/testing.ts'

export interface GpuCase {
  name: string
  files: readonly string[]
  signature: boolean
  chain: 'ok' | readonly string[]
  nonce: string
  driver?: string
  vbios: string
  project?: string
  blocks: number
  nvdec0?: string
  feature?: string
  chain_subjects: readonly string[]
  expected: 'accept' | 'refuse'
  policy: string
}

/** One device of NVIDIA's evidence files. */
export interface DeviceJson {
  arch: string
  certificate: string
  evidence: string
  nonce: string
}

/** The cases of nvidia/index.json; none where the vectors are not here, since tests are collected there too. */
export function gpuCases(): readonly GpuCase[] {
  if (!haveVectors()) return []
  return vectorJson<{ cases: GpuCase[] }>('nvidia/index.json').cases
}

/** The device that a case is about: straight from its file, or made of a report and a chain. */
export function deviceOf(entry: GpuCase): DeviceJson {
  const [first = '', chain = ''] = entry.files
  if (first.endsWith('.json')) {
    const device = vectorJson<DeviceJson[]>(`nvidia/evidence/${first}`)[Number(entry.name.split('#')[1])]
    if (device === undefined) throw new Error(`no such device: ${entry.name}`)
    return device
  }
  return {
    arch: first.startsWith('blackwell') ? 'BLACKWELL' : first.startsWith('nvswitch') ? 'LS10' : 'HOPPER',
    certificate: Buffer.from(vectorBytes(`nvidia/evidence/${chain}`)).toString('base64'),
    evidence: Buffer.from(reportBytes(first)).toString('base64'),
    nonce: entry.nonce,
  }
}

/** A report stored as hex. */
export function reportBytes(file: string): Uint8Array {
  return new Uint8Array(Buffer.from(fromUtf8(vectorBytes(`nvidia/evidence/${file}`)).trim(), 'hex'))
}

/** A file of devices, as NVIDIA's tools write it. */
export function documentOf(...devices: readonly DeviceJson[]): Uint8Array {
  return utf8(JSON.stringify(devices))
}

/** Within the validity of all certificates of the vectors. */
export const GPU_NOW = Date.UTC(2026, 5, 9)
