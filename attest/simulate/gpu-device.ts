/** One simulated GPU or switch: its certificate chain and the reports that it signs. */

import { createHash, type KeyObject } from 'node:crypto'
import { concat, fromHex, toHex, utf8 } from '../bytes.ts'
import type { GpuArch } from '../gpu/chain.ts'
import { der, derNumber, derOid, encodePem, OID, TAG } from '../x509/index.ts'
import { extension } from './certificates.ts'
import { digest } from './digest.ts'
import {
  type GpuCa,
  type GpuName,
  lasting,
  makeGpuCa,
  makeGpuCertificate,
  newGpuKey,
  publicKeyInfo,
} from './gpu-certificates.ts'
import { makeReport, type OpaqueField, onOff, vbiosField, zeroEnded } from './gpu-report.ts'

/** How the chip of each architecture is called, and what its firmware module is. */
const CHIPS = {
  HOPPER: { chip: 'GH100', module: 'A01 GSP', kind: '41', identity: 'GH100' },
  BLACKWELL: { chip: 'GB100', module: 'A01 GSP', kind: '41', identity: 'GB100' },
  LS10: { chip: 'LS_10', module: 'A01 FSP', kind: '50', identity: 'GH100' },
} as const satisfies Record<GpuArch, unknown>

/** The chip that certificates and RIMs name. */
export function chipOf(arch: GpuArch): string {
  return CHIPS[arch].chip
}

const ROOT: GpuName = { commonName: 'Simulated NVIDIA Device Identity CA' }

/** Makes the root of simulated devices. */
export function makeGpuRoot(now: number): GpuCa {
  return makeGpuCa(ROOT, now)
}

/** The manufacturer's CAs between root and devices of one architecture. */
export interface Factory {
  arch: GpuArch
  /** Provisioner, identity, root; DER, and the key of each. */
  chain: readonly Uint8Array[]
  keys: readonly KeyObject[]
}

/** Makes identity and provisioner CA of one architecture. */
export function makeFactory(root: GpuCa, arch: GpuArch, now: number): Factory {
  const { identity } = CHIPS[arch]
  const keys = { identity: newGpuKey(), provisioner: newGpuKey() }
  const name: GpuName = { commonName: `Simulated NVIDIA ${identity} Identity` }
  const first = certify(name, keys.identity, ROOT, root.key, now)
  const second = certify(provisionerName(arch), keys.provisioner, name, keys.identity, now)
  return {
    arch,
    chain: [second, first, root.certificate],
    keys: [keys.provisioner, keys.identity, root.key],
  }
}

function provisionerName(arch: GpuArch): GpuName {
  return { commonName: `Simulated NVIDIA ${CHIPS[arch].chip} Provisioner ICA 1` }
}

function certify(
  subject: GpuName,
  subjectKey: KeyObject,
  issuer: GpuName,
  issuerKey: KeyObject,
  now: number,
) {
  return makeGpuCertificate({ subject, issuer, subjectKey, issuerKey, ...lasting(now), ca: true })
}

export interface Device {
  arch: GpuArch
  /** PDI: 8 bytes, hex. */
  deviceId: string
  /** Decimal serial number of the leaf, as NVIDIA's service names the device. */
  ueid: string
  /** Leaf first, root last; DER. */
  chain: readonly Uint8Array[]
  leafKey: KeyObject
  /** 48: firmware for which the leaf was certified */ fwid: Uint8Array
}

/** Makes a device under its factory. `deviceId` is 8 bytes of hex. */
export function makeDevice({ arch, ...factory }: Factory, deviceId: string, now: number): Device {
  const [provisionerKey] = factory.keys
  if (provisionerKey === undefined) throw new RangeError('a factory has the key of its provisioner')
  const { chip, module, kind } = CHIPS[arch]
  const keys = { rom: newGpuKey(), leaf: newGpuKey() }
  const rom: GpuName = {
    commonName: `Simulated ${chip} ${module} BROM`,
    serialNumber: `${kind}${deviceId.toUpperCase()}`,
  }
  const fwid = digest('sha384', `simulated firmware ${chip}`)
  const serial = serialOf(keys.leaf)
  const leaf = makeGpuCertificate({
    subject: {
      commonName: `Simulated ${chip} ${module} FMC LF`,
      serialNumber: toHex(serial).toUpperCase(),
    },
    issuer: rom,
    subjectKey: keys.leaf,
    issuerKey: keys.rom,
    ...lasting(now),
    ca: false,
    serial,
    extensions: [fwidExtension(arch, keys.rom, fwid)],
  })
  const romCertificate = certify(rom, keys.rom, provisionerName(arch), provisionerKey, now)
  return {
    arch,
    deviceId,
    ueid: BigInt(`0x${toHex(serial)}`).toString(),
    chain: [leaf, romCertificate, ...factory.chain],
    leafKey: keys.leaf,
    fwid,
  }
}

/** 20 bytes that follow from the key, as NVIDIA's do; the first is never zero and the number positive. */
function serialOf(key: KeyObject): Uint8Array {
  const hash = createHash('sha1').update(publicKeyInfo(key)).digest()
  return Uint8Array.from(hash, (byte, i) => (i === 0 ? (byte & 0x3f) | 0x40 : byte))
}

function fwidExtension(arch: GpuArch, rom: KeyObject, fwid: Uint8Array): Uint8Array {
  const named = (value: Uint8Array): Uint8Array =>
    der(TAG.sequence, derOid(OID.sha384), der(TAG.octetString, value))
  if (arch !== 'BLACKWELL') {
    const composite = der(TAG.sequence, derNumber(1), publicKeyInfo(rom), named(fwid))
    return extension('2.23.133.5.4.1', composite)
  }
  const vendor = der(0x80, utf8('Chrysalis simulation'))
  const fwids = der(0xa6, named(fwid), named(new Uint8Array(48)))
  return extension('2.23.133.5.4.1.1', der(TAG.sequence, vendor, fwids))
}

/** PEM of a chain, leaf first. */
export function pemOf(chain: readonly Uint8Array[]): Uint8Array {
  return utf8(encodePem(chain))
}

/** What is loaded on a device, and how its links are protected. */
export interface DeviceState {
  /** Undefined on a switch. */
  driver: string | undefined
  vbios: string
  mode: 'spt' | 'mpt' | 'ppcie'
  /** Device ids of the switches at the links of a GPU, or of the GPUs at the ports of a switch. */
  peers: readonly string[]
}

export interface ReportChange {
  fwid?: Uint8Array
  /** Values to put in place of the right ones, by index from 0. */
  measured?: ReadonlyMap<number, Uint8Array>
}

/** The report that a device signs for a nonce (32 bytes). */
export function reportOf(
  device: Device,
  state: DeviceState,
  nonce: Uint8Array,
  change: ReportChange = {},
): Uint8Array<ArrayBuffer> {
  const measurements = measurementsOf(device.arch, state)
  for (const [index, value] of change.measured ?? []) measurements[index] = value
  const opaque = device.arch === 'LS10' ? switchFields(device, state) : gpuFields(device, state, change)
  return makeReport({ nonce, measurements, opaque }, device.leafKey)
}

const MODES = { spt: 0, mpt: 1, ppcie: 2 } as const

function gpuFields(device: Device, { driver = '', vbios, mode, peers }: DeviceState, change: ReportChange) {
  const fields: OpaqueField[] = [
    [6, vbiosField(vbios)],
    [15, zeroEnded('882')],
    [16, zeroEnded('0')],
    [17, zeroEnded('1010')],
    [18, zeroEnded('0200')],
    [3, zeroEnded(driver)],
    [11, onOff(false)],
    [20, change.fwid ?? device.fwid],
    [21, onOff(mode === 'ppcie')],
    [34, Uint8Array.of(1, 0)],
    [36, Uint8Array.of(MODES[mode], 0)],
  ]
  if (mode === 'ppcie') fields.push([22, padded(peers, 18)])
  return fields
}

function switchFields({ deviceId }: Device, { vbios, peers }: DeviceState): OpaqueField[] {
  return [
    [6, utf8(vbios)],
    [22, fromHex(deviceId)],
    [26, padded(peers, 16)],
  ]
}

/** A list of ids with zeros for the ports that lead nowhere. */
function padded(ids: readonly string[], ports: number): Uint8Array {
  const empty = new Uint8Array(8 * Math.max(0, ports - ids.length))
  return concat(...ids.map(fromHex), empty)
}

/** Indices (from 0) that the firmware and the driver account for. NVDEC0 is off, so index 35 says nothing. */
const VBIOS_INDICES = [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 11, 12]
const DRIVER_INDICES = [7, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40]
const NVDEC0_INDEX = 35
const BLOCKS = { HOPPER: 64, BLACKWELL: 64, LS10: 31 } as const

function measurementsOf(arch: GpuArch, { driver, vbios }: DeviceState): Uint8Array[] {
  const values: Uint8Array[] = Array.from({ length: BLOCKS[arch] }, () => new Uint8Array(48))
  for (const index of VBIOS_INDICES) values[index] = expected(arch, vbios, index)
  if (driver === undefined) return values
  for (const index of DRIVER_INDICES) {
    if (index !== NVDEC0_INDEX) values[index] = expected(arch, driver, index)
  }
  return values
}

/** What a RIM allows, by index: of the driver when one is given, else of the VBIOS. One index has an alternative. */
export function referenceValues(arch: GpuArch, version: string, of: 'driver' | 'vbios') {
  const indices = of === 'driver' ? DRIVER_INDICES : VBIOS_INDICES
  return new Map(
    indices.map((index) => {
      const value = expected(arch, version, index)
      return [index, index === 23 ? [digest('sha384', 'another table'), value] : [value]] as const
    }),
  )
}

function expected(arch: GpuArch, version: string, index: number): Uint8Array {
  return digest('sha384', `simulated measurement ${CHIPS[arch].chip} ${version} ${index}`)
}
