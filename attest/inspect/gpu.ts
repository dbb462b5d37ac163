/** Evidence of GPUs and switches in words: measurement reports, lists of devices, reference manifests. */

import { equalBytes, fromBase64, isZero, toHex } from '../bytes.ts'
import { ARCHITECTURES, type GpuArch, parseDeviceChain } from '../gpu/chain.ts'
import { certificateFwid } from '../gpu/fwid.ts'
import { parseReport, type Report as Spdm } from '../gpu/spdm.ts'
import { type Certificate, verifyEcdsa } from '../x509/index.ts'
import { addChain, sayIssuers } from './chain.ts'
import { inspectEat, isEatBundle } from './eat.ts'
import { addSection, attempt, newReport, type Report, row } from './report.ts'
import { count, isText } from './text.ts'

const MODES: Readonly<Record<string, string>> = {
  SPT: 'one GPU for one guest',
  MPT: 'several GPUs for one guest, links between them encrypted',
  PPCIE: 'several GPUs and their switches, links between them trusted as they are',
  CC: 'confidential; the driver is too old to say more',
}

/** Whether these bytes begin as SPDM 1.1 GET_MEASUREMENTS does. */
export function looksLikeReport(bytes: Uint8Array): boolean {
  return bytes[0] === 0x11 && bytes[1] === 0xe0
}

/** Explains one measurement report (SPDM request and response). */
export async function inspectGpuReport(bytes: Uint8Array, title = 'a measurement report'): Promise<Report> {
  const report = newReport('gpu-report', `${title} of an NVIDIA device (SPDM 1.1)`)
  const spdm = await attempt(report, 'report', () => parseReport(bytes))
  if (spdm === undefined) return report
  const { facts } = spdm
  addSection(report, 'the device says', [
    row('nonce', toHex(spdm.nonce), 'chosen by whoever asked'),
    row('driver', facts.driver),
    row('VBIOS', facts.vbios),
    row('project', facts.project, facts.projectSku && `SKU ${facts.projectSku}, chip SKU ${facts.chipSku}`),
    row('mode', facts.mode, MODES[facts.mode ?? '']),
    row('NVDEC0', facts.nvdec0 === undefined ? undefined : facts.nvdec0 ? 'on' : 'off'),
    row('FWID', facts.fwid && toHex(facts.fwid), 'digest of the firmware that holds the signing key'),
    row('switches', facts.switchPdis?.join(', ') || undefined, 'at its links'),
    row('GPUs', facts.gpuPdis?.join(', ') || undefined, 'at its ports'),
  ])
  const used = spdm.measurements.filter(({ value }) => !isZero(value)).length
  addSection(report, 'measurements', [
    row(
      'blocks',
      spdm.measurements.length,
      `${used} of them not zero; only reference manifests tell what is right`,
    ),
  ])
  report.signatures.push('the report, with its nonce: by the leaf key of the device')
  return report
}

type Json = Record<string, unknown>

/** The devices of evidence in any of its forms; undefined when it is none. */
export function devicesIn(json: unknown): Json[] | undefined {
  const inner = Array.isArray(json)
    ? json
    : ((json as Json | null)?.devices ?? (json as Json | null)?.evidences)
  const list = Array.isArray(inner) ? (inner as unknown[]) : [json]
  const devices = list.filter((item): item is Json => typeof item === 'object' && item !== null)
  const good = devices.every(({ certificate, evidence }) => isText(certificate) && isText(evidence))
  return good && devices.length > 0 && devices.length === list.length ? devices : undefined
}

/** Explains evidence of devices. */
export async function inspectGpuEvidence(
  json: unknown,
  devices: readonly Json[],
  now: number,
): Promise<Report> {
  const report = newReport('gpu-evidence', `evidence of ${count(devices.length, 'NVIDIA device')}`)
  for (const [i, device] of devices.entries()) report.parts.push(await inspectDevice(device, i, now))
  const { eat, rims } = Array.isArray(json) ? {} : (json as Json)
  if (Array.isArray(rims)) addSection(report, 'beside the devices', [row('reference manifests', rims.length)])
  const { bundle } = (eat ?? {}) as Json
  if (isEatBundle(bundle)) report.parts.push(await inspectEat(bundle, now))
  const nonces = new Set(devices.map(({ nonce }) => nonce))
  if (nonces.size > 1) report.problems.push('the devices were asked with different nonces')
  return report
}

async function inspectDevice(device: Json, index: number, now: number): Promise<Report> {
  const arch = String(device.arch)
  const bytes = await attempt(newReport('gpu-report', ''), '', () => fromBase64(String(device.evidence)))
  const report = await inspectGpuReport(bytes ?? new Uint8Array(), `device ${index + 1} (${arch}): a report`)
  const chain = await attempt(report, 'certificate chain', () =>
    parseDeviceChain(fromBase64(String(device.certificate))),
  )
  const spdm = bytes && (await attempt(newReport('gpu-report', ''), '', () => parseReport(bytes)))
  if (chain !== undefined) {
    await addChain(report, 'device chain', chain, now)
    sayIssuers(report, chain)
  }
  if (spdm !== undefined && isText(device.nonce) && device.nonce !== toHex(spdm.nonce))
    report.problems.push('nonce: the evidence names another one than the report carries')
  const [leaf] = chain ?? []
  if (spdm !== undefined && leaf !== undefined) await checkReport(report, spdm, leaf, arch)
  return report
}

async function checkReport(report: Report, spdm: Spdm, leaf: Certificate, arch: string): Promise<void> {
  if (!(await verifyEcdsa('P-384', leaf.publicKey, spdm.signature, spdm.signed)))
    report.problems.push('signature: the report was changed after signing, or another key signed it')
  const known = ARCHITECTURES.find((name): name is GpuArch => name === arch)
  if (known === undefined) return
  const fwid = await attempt(report, 'FWID', () => certificateFwid(leaf, known))
  const said = spdm.facts.fwid
  if (fwid !== undefined && said !== undefined && !equalBytes(fwid, said))
    report.problems.push('FWID: certificate and report name different firmware')
}

/** Whether a text is a TCG reference integrity manifest (SWID tag in XML). */
export function looksLikeRim(text: string): boolean {
  return /^(?:<\?xml[^>]*>\s*)?<(?:\w+:)?SoftwareIdentity[\s>]/.test(text)
}

/** Explains a reference manifest by its head; nothing in it is checked. */
export function inspectRim(text: string): Report {
  const report = newReport('rim', 'a reference integrity manifest (RIM): what measurements have to be')
  const head = /<(?:\w+:)?SoftwareIdentity[^>]*>/.exec(text)?.[0] ?? ''
  const meta = /<(?:\w+:)?Meta[^>]*>/.exec(text)?.[0] ?? ''
  const entity = /<(?:\w+:)?Entity[^>]*>/.exec(text)?.[0] ?? ''
  addSection(report, 'the manifest says', [
    row('name', attribute(head, 'name')),
    row('id', attribute(head, 'tagId')),
    row('version', attribute(meta, 'colloquialVersion')),
    row('product', attribute(meta, 'product')),
    row('by', attribute(entity, 'name')),
    row('measurements', text.match(/<(?:\w+:)?Resource[\s>]/g)?.length ?? 0),
  ])
  const signed = /<(?:\w+:)?Signature[\s>]/.test(text)
  if (signed)
    report.signatures.push(
      'the manifest: by the certificate in its XML signature, which attest verify checks',
    )
  else report.problems.push('it is not signed')
  return report
}

function attribute(element: string, name: string): string | undefined {
  return new RegExp(`[\\s:]${name}="([^"]*)"`).exec(element)?.[1]
}
