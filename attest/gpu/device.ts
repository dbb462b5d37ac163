/** One device of the evidence: what it handed over, parsed; and what its certificates prove. */

import { equalBytes } from '../bytes.ts'
import { type Certificate, verifyEcdsa } from '../x509/index.ts'
import { checkDeviceChain, type DeviceChain, type GpuRoot, nameDevice, parseDeviceChain } from './chain.ts'
import type { DeviceEvidence } from './document.ts'
import { GpuError } from './errors.ts'
import { certificateFwid } from './fwid.ts'
import { parseReport, type Report } from './spdm.ts'

/** Parsed, not proven. */
export interface OpenedDevice {
  evidence: DeviceEvidence
  certificates: readonly Certificate[]
  report: Report
}

/** Its chain ends in a pinned root. */
export interface Device extends OpenedDevice {
  chain: DeviceChain
  /** For messages: `HOPPER 2921ce551e4eeda3`. */
  name: string
}

/** Parses report and certificates. Throws GpuError. */
export function openDevice(evidence: DeviceEvidence): OpenedDevice {
  const certificates = parseDeviceChain(evidence.certificate)
  return { evidence, certificates, report: parseReport(evidence.evidence) }
}

/** Proves the chain. Throws GpuError ERR_GPU_CHAIN. `now` in milliseconds since 1970. */
export async function proveDevice(
  opened: OpenedDevice,
  roots: readonly GpuRoot[],
  now: number,
): Promise<Device> {
  const chain = await checkDeviceChain(opened.certificates, roots, now)
  if (chain.arch !== opened.evidence.arch) {
    throw new GpuError(
      'ERR_GPU_CHAIN',
      `the evidence is said to be of ${opened.evidence.arch}, not ${chain.arch}`,
    )
  }
  return { ...opened, chain, name: `${chain.arch} ${chain.deviceId}` }
}

/** Whether the leaf key signed request and response. */
export function reportSigned({ chain: { leaf }, report }: Device): Promise<boolean> {
  return verifyEcdsa(leaf.curve, leaf.publicKey, report.signature, report.signed)
}

/**
 * Compares the firmware ids of report and certificate: undefined when the report carries none. Throws GpuError
 * ERR_GPU_FWID when the extension is malformed.
 */
export function firmwareMatches({ chain, report }: Device): boolean | undefined {
  const said = report.facts.fwid
  const certified = certificateFwid(chain.leaf, chain.arch)
  if (said === undefined) return undefined
  return certified !== undefined && equalBytes(certified, said)
}

/** Whether a device is a switch and no accelerator. */
export function isSwitch({ chain }: Device): boolean {
  return chain.arch === 'LS10'
}

/** What a device's evidence says of it, for claims and for people. Proves nothing. Throws GpuError. */
export function describeDevice(evidence: DeviceEvidence): {
  arch: string
  chip: string
  deviceId: string
  simulated: boolean
  /** Lower case, as claims have it; `unknown` when the driver does not say. */
  mode: string
  report: Report
} {
  const { certificates, report } = openDevice(evidence)
  const { arch, chip, deviceId, kind } = nameDevice(certificates)
  const mode = report.facts.mode?.toLowerCase() ?? 'unknown'
  return { arch, chip, deviceId, simulated: kind === 'simulated', mode, report }
}
