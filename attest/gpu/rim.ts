/**
 * Reference integrity manifests (RIM): NVIDIA's signed lists of what the firmware and driver of a device must measure
 * to (TCG SWID tags, ISO 19770-2). A GPU needs two, for its VBIOS and for its driver, a switch one for its BIOS.
 */

import type { Element } from '@xmldom/xmldom'
import { toHex } from '../bytes.ts'
import { type Certificate, parseCertificate, X509Error } from '../x509/index.ts'
import { checkPath, findAnchor, type GpuAnchor, type GpuArch, type GpuRoot } from './chain.ts'
import type { Facts } from './opaque.ts'
import { checkXmlSignature, elementsOf, parseRimXml, type RimXml, rimError } from './rim-xml.ts'
import type { Report } from './spdm.ts'

const SWID = 'http://standards.iso.org/iso/19770/-2/2015/schema.xsd'
const SHA384 = 'http://www.w3.org/2001/04/xmlenc#sha384'
const MAX_ALTERNATIVES = 64
/** Measurement of the NVDEC0 unit, which means nothing while the unit is off. */
const NVDEC0_INDEX = 35

/** One manifest, read but not proven: `checkRim` does that. */
export interface Rim {
  /** `GH100`, as in the names of the device's certificates. */
  chip: string
  /** Version of driver, VBIOS or BIOS, lower case. */
  version: string
  /** Allowed values (hex, 48 bytes) by index, from 0: block index less one. Active ones alone. */
  values: ReadonlyMap<number, ReadonlySet<string>>
  /** Signer first, root last. */
  chain: readonly Certificate[]
  xml: RimXml
}

/** How one report compares with one manifest. */
export interface RimMatch {
  compared: number
  matched: number
  /** Indices that differ, from 0, rising. */
  mismatched: readonly number[]
}

/** Reads a manifest. Throws GpuError ERR_GPU_RIM for anything but NVIDIA's form, unknown kinds of values included. */
export async function parseRim(bytes: Uint8Array): Promise<Rim> {
  const xml = await parseRimXml(bytes)
  const [entity, meta, payload, more] = xml.children
  if (!isSwid(xml.root, 'SoftwareIdentity')) throw rimError('the root is not a SoftwareIdentity')
  if (
    !isSwid(entity, 'Entity') ||
    !isSwid(meta, 'Meta') ||
    !isSwid(payload, 'Payload') ||
    more !== undefined
  ) {
    throw rimError('not Entity, Meta and Payload in this order')
  }
  const chip = xml.root.getAttribute('name') ?? ''
  const version = (meta.getAttribute('colloquialVersion') ?? '').toLowerCase()
  if (!/^[A-Z0-9_]{2,16}$/.test(chip) || chip !== meta.getAttribute('product'))
    throw rimError('no product named')
  if (!/^[0-9a-f.]{1,32}$/.test(version)) throw rimError('no version')
  const values = new Map<number, ReadonlySet<string>>()
  const seen = new Set<number>()
  for (const resource of elementsOf(payload)) {
    const { index, active, allowed } = readResource(resource)
    if (seen.has(index)) throw rimError(`index ${index} twice`)
    seen.add(index)
    if (active) values.set(index, allowed)
  }
  if (values.size === 0) throw rimError('no active values')
  return { chip, version, values, chain: readChain(xml), xml }
}

/**
 * Proves a manifest: signer chain to a pinned root, in date, and the signature over the whole document.
 *
 * @param now milliseconds since 1970
 * @returns what the root vouches for
 * @throws GpuError ERR_GPU_RIM or ERR_GPU_CHAIN
 */
export async function checkRim(rim: Rim, roots: readonly GpuRoot[], now: number): Promise<GpuAnchor> {
  const { chain } = rim
  const root = chain.at(-1)
  const anchor = root && findAnchor(root, roots)
  const signer = chain[0]
  if (anchor === undefined || signer === undefined) {
    throw rimError('signed under a root that the policy does not pin')
  }
  checkNames(chain, anchor === 'simulated' ? 'Simulated ' : '')
  await checkPath(chain, now)
  await checkXmlSignature(rim.xml, signer.publicKey)
  return anchor
}

/** Compares every active value of a manifest with the report. An index that the report lacks is a mismatch. */
export function compareRim(rim: Rim, { measurements, facts }: Report): RimMatch {
  const measured = new Map(measurements.map(({ index, value }) => [index - 1, toHex(value)]))
  const skipped = facts.nvdec0 === false ? NVDEC0_INDEX : undefined
  const indices = [...rim.values.keys()].filter((index) => index !== skipped).sort((a, b) => a - b)
  const mismatched = indices.filter((index) => {
    const value = measured.get(index)
    return value === undefined || !rim.values.get(index)?.has(value)
  })
  return { compared: indices.length, matched: indices.length - mismatched.length, mismatched }
}

/** Whether two manifests claim the same index: then neither can be right. */
export function overlap(a: Rim, b: Rim): boolean {
  return [...a.values.keys()].some((index) => b.values.has(index))
}

/** Names under which NVIDIA's RIM service keeps the manifests that a device needs. */
export function rimIds(facts: Facts, arch: GpuArch, chip: string): string[] {
  const vbios = (facts.vbios ?? '').replaceAll('.', '').toUpperCase()
  // A switch does not say its project; there is one of it.
  if (arch === 'LS10') return [`NV_SWITCH_BIOS_5612_0002_890_${vbios}`]
  const { project = '', projectSku = '', chipSku = '', driver = '' } = facts
  const name = arch === 'HOPPER' ? 'NV_GPU_DRIVER' : 'NV_GPU_CC_DRIVER'
  const board = [project, projectSku, chipSku].map((part) => part.toUpperCase()).join('_')
  return [`${name}_${chip}_${driver}`, `NV_GPU_VBIOS_${board}_${vbios}`]
}

function readChain({ certificates }: RimXml): readonly Certificate[] {
  try {
    return certificates.map((bytes) => parseCertificate(bytes, 'P-384'))
  } catch (error) {
    throw error instanceof X509Error ? rimError(error.message) : error
  }
}

/** A signer of manifests is no signer of reports, and the other way round, although both are NVIDIA's. */
function checkNames(chain: readonly Certificate[], prefix: string): void {
  const names = chain.map(({ commonName }) => commonName)
  const [signer = '', ...authorities] = names
  const root = authorities.pop()
  const good =
    names.every((name) => name.startsWith(prefix)) &&
    / RIM .*Signer/.test(signer) &&
    authorities.every((name) => name.startsWith(`${prefix}NVIDIA Reference Value `)) &&
    root === `${prefix}NVIDIA CoRIM signing Root CA`
  if (!good) throw rimError('the certificates do not have the names of their roles')
}

function readResource(resource: Element): { index: number; active: boolean; allowed: ReadonlySet<string> } {
  if (!isSwid(resource, 'Resource') || resource.getAttribute('type') !== 'Measurement') {
    throw rimError('values of a kind that is unknown here: update this verifier')
  }
  const index = number(resource, 'index', 255)
  const count = number(resource, 'alternatives', MAX_ALTERNATIVES)
  const active = resource.getAttribute('active')
  if (active !== 'True' && active !== 'False') throw rimError(`index ${index}: neither active nor not`)
  if (number(resource, 'size', 48) !== 48) throw rimError(`index ${index}: not 48 bytes`)
  const allowed = new Set<string>()
  for (let i = 0; i < count; i++) {
    const value = resource.getAttributeNS(SHA384, `Hash${i}`) ?? ''
    if (!/^[0-9a-f]{96}$/.test(value))
      throw rimError(`index ${index}: alternative ${i} is not 48 bytes of hex`)
    allowed.add(value)
  }
  // These and the alternatives are all: whatever else stood there would be a rule that goes unheeded.
  const known = ['type', 'index', 'alternatives', 'active', 'size', 'name']
  const all = known.every((name) => resource.hasAttribute(name))
  if (count === 0 || !all || resource.attributes.length !== known.length + count) {
    throw rimError(`index ${index}: attributes that are unknown here`)
  }
  return { index, active: active === 'True', allowed }
}

function number(element: Element, name: string, max: number): number {
  const text = element.getAttribute(name) ?? ''
  const value = Number(text)
  if (!/^(?:0|[1-9]\d{0,3})$/.test(text) || value > max)
    throw rimError(`${name} is not a number up to ${max}`)
  return value
}

function isSwid(element: Element | undefined, name: string): element is Element {
  return element?.namespaceURI === SWID && element.localName === name
}
