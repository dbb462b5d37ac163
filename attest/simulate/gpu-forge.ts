/** Devices' shares of one evidence, and what a forgery changes in them before they are written. */

import { randomBytes } from 'node:crypto'
import type { DeviceEvidence } from '../gpu/document.ts'
import { digest } from './digest.ts'
import { type Device, type DeviceState, pemOf, type ReportChange, reportOf } from './gpu-device.ts'
import type { GpuForgery } from './gpu-forgeries.ts'

/** One device's share of the evidence, before it is written. */
export interface Part {
  device: Device
  state: DeviceState
  nonce: Uint8Array
  change: ReportChange
  chain: readonly Uint8Array[]
  spoil: boolean
}

/** An index (from 0) that the driver accounts for, and one of the VBIOS. */
export const DRIVER_INDEX = 24
const FUSES_INDEX = 1

/** A value (48 bytes) that no reference names. */
export const CHANGED: Uint8Array = digest('sha384', 'changed')

/** Applies a forgery that concerns GPUs to their parts; the others leave them alone. Throws RangeError for too few. */
export function forgeDevices(gpus: Part[], forgery: GpuForgery): void {
  const [first] = gpus
  if (first === undefined) throw new RangeError('there is at least one GPU')
  const changed = (...indices: number[]): ReportChange => ({
    measured: new Map(indices.map((index) => [index, CHANGED])),
  })
  if (forgery === 'bad-signature') first.spoil = true
  if (forgery === 'other-nonce') first.nonce = new Uint8Array(randomBytes(32))
  if (forgery === 'missing-intermediate') first.chain = first.chain.filter((_, i) => i !== 2)
  if (forgery === 'other-firmware') first.change = { fwid: CHANGED }
  if (forgery === 'rim-mismatch' || forgery === 'rim-edited') first.change = changed(DRIVER_INDEX)
  if (forgery === 'devtools') first.change = changed(FUSES_INDEX, DRIVER_INDEX)
  if (forgery === 'other-mode') {
    const mode = first.state.mode === 'spt' ? 'mpt' : 'spt'
    for (const gpu of gpus) gpu.state = { ...gpu.state, mode }
  }
  if (forgery === 'missing-device' || forgery === 'duplicate-device') {
    if (gpus.length < 2) throw new RangeError(`the forgery ${forgery} needs two GPUs`)
    gpus.pop()
  }
  if (forgery === 'duplicate-device') gpus.push({ ...first })
}

/** Has the device sign its report; `claimed` is the nonce that the file names. */
export function writePart(
  { device, state, nonce, change, chain, spoil }: Part,
  claimed: Uint8Array,
): DeviceEvidence {
  const evidence = reportOf(device, state, nonce, change)
  const last = evidence.length - 1
  if (spoil) evidence[last] = (evidence[last] ?? 0) ^ 1
  return { arch: device.arch, certificate: pemOf(chain), evidence, nonce: claimed }
}
