/** Measurement reports (SPDM 1.1) as a GPU or switch would sign them. The parser is in attest/gpu/spdm.ts. */

import { type KeyObject, randomBytes } from 'node:crypto'
import { concat, u16le, u32le, utf8 } from '../bytes.ts'
import { signRaw } from './gpu-certificates.ts'

/** An opaque field: type number and content. */
export type OpaqueField = readonly [type: number, value: Uint8Array]

interface ReportSpec {
  /** 32 */ nonce: Uint8Array
  /** SHA-384 values of blocks 1, 2, … */
  measurements: readonly Uint8Array[]
  opaque: readonly OpaqueField[]
}

/** Request and response of GET_MEASUREMENTS, signed by the leaf key. */
export function makeReport(spec: ReportSpec, leafKey: KeyObject): Uint8Array<ArrayBuffer> {
  const blocks = concat(...spec.measurements.map((value, i) => block(i + 1, value)))
  const opaque = concat(
    ...spec.opaque.map(([type, value]) => concat(u16le(type), u16le(value.length), value)),
  )
  const signed = concat(
    Uint8Array.of(0x11, 0xe0, 0x01, 0xff),
    spec.nonce,
    Uint8Array.of(0),
    Uint8Array.of(0x11, 0x60, 0, 0, spec.measurements.length),
    u32le(blocks.length).subarray(0, 3),
    blocks,
    randomBytes(32),
    u16le(opaque.length),
    opaque,
  )
  return concat(signed, signRaw(signed, leafKey))
}

/** Index, DMTF specification, size, type "firmware", size of the digest, digest. */
function block(index: number, value: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(index, 1, 51, 0, 1, 48, 0), value)
}

/** Text with a closing zero, as the opaque fields hold it. */
export function zeroEnded(text: string): Uint8Array<ArrayBuffer> {
  return utf8(`${text}\0`)
}

/** A GPU's VBIOS version, `96.00.9f.00.01`: the first four bytes last first, the fifth, three zeros. */
export function vbiosField(version: string): Uint8Array<ArrayBuffer> {
  const [a = 0, b = 0, c = 0, d = 0, e = 0] = version.split('.').map((part) => Number.parseInt(part, 16))
  return Uint8Array.of(d, c, b, a, e, 0, 0, 0)
}

/** On or off, as the opaque fields write it. */
export function onOff(on: boolean): Uint8Array<ArrayBuffer> {
  return Uint8Array.of(on ? 0xaa : 0x55)
}
