/**
 * The certificate chain of a GPU or switch: five certificates, from the key that signs reports to NVIDIA's root.
 *
 * leaf: signing key of the firmware now loaded; boot ROM: the device itself; provisioner and identity: NVIDIA's
 * factory; root: pinned by hash. A certificate of one role never serves in another, and the chip that leaf, boot ROM
 * and provisioner name is one chip.
 */

import { sha256 } from '@noble/hashes/sha2.js'
import { toHex } from '../bytes.ts'
import {
  type Certificate,
  checkDates,
  checkIssued,
  KEY_USAGE,
  nameAttribute,
  OID,
  parseChainBytes,
  X509Error,
} from '../x509/index.ts'
import { GpuError } from './errors.ts'

/** What a pinned root vouches for: NVIDIA's hardware, or the simulation of one installation. */
export type GpuAnchor = 'nvidia' | 'simulated'

/** A root certificate (SHA-256 of its DER, hex) and what it vouches for. */
export interface GpuRoot {
  sha256: string
  kind: GpuAnchor
}

export const ARCHITECTURES = ['HOPPER', 'BLACKWELL', 'LS10'] as const
/** As NVIDIA's evidence names them; LS10 is the NVSwitch of Hopper systems. */
export type GpuArch = (typeof ARCHITECTURES)[number]

/**
 * How the chips of each architecture are named, and the identity certificates over their provisioners: one may stand
 * over several chips of a family.
 */
const CHIPS: Record<GpuArch, { chip: RegExp; identity: RegExp }> = {
  HOPPER: { chip: /^GH1\d\d$/, identity: /^NVIDIA GH1\d\d Identity$/ },
  BLACKWELL: { chip: /^GB[12]\d\d$/, identity: /^NVIDIA GB[12]\d\d Identity$/ },
  LS10: { chip: /^LS_10$/, identity: /^NVIDIA (?:GH100|LS_10) Identity$/ },
}

const NEWLINE = 10
const SIMULATED = 'Simulated '

/** What the certificates say that they belong to; nothing of it is proven before checkDeviceChain. */
export interface DeviceName {
  /** What the names claim; the pinned root decides. */
  kind: GpuAnchor
  arch: GpuArch
  /** `GH100`, `GB100`, `LS_10`. */
  chip: string
  /**
   * The device's own id (PDI, 8 bytes, hex): the last 8 bytes of the serial number in the boot ROM certificate's
   * subject. It stays when firmware changes, switches list GPUs by it and GPUs switches.
   */
  deviceId: string
}

export interface DeviceChain extends DeviceName {
  /** Signs the reports. */
  leaf: Certificate
  /** Leaf first, root last. */
  certificates: readonly Certificate[]
}

/** Parses a PEM chain (P-384), as bytes; newlines at the end do not matter. Throws GpuError ERR_GPU_CHAIN. */
export function parseDeviceChain(pem: Uint8Array): readonly Certificate[] {
  return asChainError(() => {
    let end = pem.length
    while (pem[end - 1] === NEWLINE) end--
    return parseChainBytes(pem.subarray(0, end), 'P-384')
  })
}

/**
 * Checks roles, dates, names, constraints, path lengths and signatures, and that the chain ends in one of the roots.
 *
 * @param now milliseconds since 1970
 * @throws GpuError ERR_GPU_CHAIN
 */
export async function checkDeviceChain(
  certificates: readonly Certificate[],
  roots: readonly GpuRoot[],
  now: number,
): Promise<DeviceChain> {
  const [leaf, rom, provisioner, identity, root, more] = certificates
  if (!leaf || !rom || !provisioner || !identity || !root || more !== undefined) {
    throw chainError(`${certificates.length} certificates where five belong`)
  }
  const anchor = findAnchor(root, roots)
  if (anchor === undefined) throw chainError('ends in a root that the policy does not pin')
  const name = nameDevice(certificates)
  if (name.kind !== anchor) throw wrongNames()
  await checkPath([leaf, rom, provisioner, identity, root], now)
  return { ...name, leaf, certificates }
}

/** What the policy pins this certificate for; undefined when it does not. */
export function findAnchor(root: Certificate, roots: readonly GpuRoot[]): GpuAnchor | undefined {
  const pinned = toHex(sha256(root.der))
  return roots.find((known) => known.sha256 === pinned)?.kind
}

/**
 * Checks dates, names, constraints, path lengths and signatures of a chain, leaf first, whose last certificate is
 * pinned elsewhere. The leaf signs and is no CA. Throws GpuError ERR_GPU_CHAIN.
 */
export async function checkPath(chain: readonly Certificate[], now: number): Promise<void> {
  const [leaf] = chain
  const usage = leaf?.keyUsage ?? 0
  if (
    leaf === undefined ||
    leaf.ca ||
    !(usage & KEY_USAGE.digitalSignature) ||
    usage & KEY_USAGE.keyCertSign
  ) {
    throw chainError('the leaf is not an end-entity signing certificate')
  }
  for (const [depth, certificate] of chain.entries()) {
    asChainError(() => checkDates(certificate, now))
    const { pathLength } = certificate
    if (pathLength !== undefined && depth - 1 > pathLength) {
      throw chainError(`path length of "${certificate.commonName}" exceeded`)
    }
    const issuer = chain[depth + 1] ?? certificate
    await checkIssued(certificate, issuer).catch(throwChainError)
  }
}

/**
 * Reads from the names which device a chain belongs to; the simulation's names all begin with "Simulated ". Proves
 * nothing. Throws GpuError ERR_GPU_CHAIN unless all names are those of their roles.
 */
export function nameDevice(certificates: readonly Certificate[]): DeviceName {
  const [, rom] = certificates
  const names = certificates.map(({ commonName }) => commonName)
  const simulated = names.every((name) => name.startsWith(SIMULATED))
  const bare = simulated ? names.map((name) => name.slice(SIMULATED.length)) : names
  const [leaf = '', romName, provisioner = '', identity = '', root] = bare
  const [, chip = '', unit = ''] = /^(\S+) ([A-Z]\d\d (?:GSP|FSP)) FMC LF$/.exec(leaf) ?? []
  const arch = ARCHITECTURES.find((name) => CHIPS[name].chip.test(chip))
  if (arch === undefined || rom === undefined) throw chainError('the leaf is of no known device')
  const factory = `NVIDIA ${chip} Provisioner ICA `
  const right =
    romName === `${chip} ${unit} BROM` &&
    provisioner.startsWith(factory) &&
    /^\d{1,8}$/.test(provisioner.slice(factory.length)) &&
    CHIPS[arch].identity.test(identity) &&
    root === 'NVIDIA Device Identity CA'
  if (!right) throw wrongNames()
  return { kind: simulated ? 'simulated' : 'nvidia', arch, chip, deviceId: readDeviceId(rom) }
}

function wrongNames(): GpuError {
  return chainError('the certificates do not have the names of their roles')
}

/** A byte for the kind of id, then the 8 bytes of the PDI, in upper-case hex. */
function readDeviceId(rom: Certificate): string {
  const serial = asChainError(() => nameAttribute(rom.subject, OID.serialNumber))
  if (!/^[0-9A-F]{18}$/.test(serial)) throw chainError('the boot ROM certificate carries no device id')
  return serial.slice(2).toLowerCase()
}

function asChainError<T>(run: () => T): T {
  try {
    return run()
  } catch (error) {
    return throwChainError(error)
  }
}

function throwChainError(error: unknown): never {
  throw error instanceof X509Error ? chainError(error.message) : error
}

function chainError(problem: string): GpuError {
  return new GpuError('ERR_GPU_CHAIN', `device certificate chain: ${problem}`)
}
