/** TDX quotes in words. */

import { sha256 } from '@noble/hashes/sha2.js'
import { concat, equalBytes, isZero, toHex } from '../bytes.ts'
import { readPckPlatform } from '../tdx/pck.ts'
import { BODY_TD10, BODY_TD15, parseQuote, type Quote, type TdBody } from '../tdx/quote.ts'
import { attributeBits, xfamAllowed } from '../tdx/td.ts'
import { type Certificate, parseChainBytes, verifyP256 } from '../x509/index.ts'
import { attributesInWords, featuresInWords } from './bits.ts'
import { addChain, sayIssuers } from './chain.ts'
import { addSection, attempt, newReport, type Report, row } from './report.ts'
import { count, hexOrZero, textOf } from './text.ts'

const HEADER = 48

/** What each run-time register is for. */
const REGISTERS = [
  'firmware configuration, as virtual hardware and boot variables',
  'boot loader and kernel',
  'kernel command line and initial file system',
  'what the running system added, as configuration and models',
] as const

/** Whether these bytes begin as a quote of Intel's does: version 3 to 5, a known key type and TEE type. */
export function looksLikeQuote(bytes: Uint8Array): boolean {
  if (bytes.length < HEADER) return false
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const tee = view.getUint32(4, true)
  return (
    [3, 4, 5].includes(view.getUint16(0, true)) && view.getUint16(2, true) <= 3 && [0, 0x81].includes(tee)
  )
}

/** Explains a quote. Bytes that are not a strict TDX quote get their problem named, and what the header says. */
export async function inspectQuote(bytes: Uint8Array, now: number): Promise<Report> {
  const report = newReport('tdx-quote', 'a TDX quote')
  const quote = (await attempt(report, 'quote', () => parseQuote(bytes))) ?? withoutPadding(bytes)
  if (quote === undefined) {
    describeHeader(report, bytes)
    return report
  }
  report.title = `a TDX quote, version ${quote.version}, of a TD ${quote.body.kind === 'td15' ? '1.5' : '1.0'}`
  addSection(report, 'size', [
    row('quote', count(quote.length, 'byte')),
    row('after it', count(bytes.length - quote.length, 'byte'), 'padding, which nobody signs'),
  ])
  describeBody(report, quote.body)
  describeQe(report, quote)
  const chain = await attempt(report, 'PCK chain', () => parseChainBytes(quote.pckChain))
  const [leaf] = chain ?? []
  if (chain !== undefined && leaf !== undefined) {
    await addChain(report, 'PCK chain', chain, now)
    await describePlatform(report, leaf)
  }
  await checkQuote(report, quote, leaf)
  report.signatures.push('header and TD report: by the attestation key that the quote carries')
  report.signatures.push('attestation key: named by the report of the quoting enclave')
  report.signatures.push(
    `report of the quoting enclave: by "${leaf?.commonName ?? 'a certificate that cannot be read'}"`,
  )
  if (chain !== undefined) sayIssuers(report, chain)
  return report
}

/** The quote in bytes that are followed by something else than zeros, so that a person still sees what it is. */
function withoutPadding(bytes: Uint8Array): Quote | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const starts = [HEADER + BODY_TD10, HEADER + 6 + BODY_TD10, HEADER + 6 + BODY_TD15]
  for (const start of starts.filter((at) => at + 4 <= bytes.length)) {
    try {
      return parseQuote(bytes.subarray(0, start + 4 + view.getUint32(start, true)))
    } catch {
      // Not the layout of this quote, or one that no layout makes readable.
    }
  }
  return undefined
}

function describeHeader(report: Report, bytes: Uint8Array): void {
  if (!looksLikeQuote(bytes)) return
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const sgx = view.getUint32(4, true) === 0
  if (sgx) {
    report.kind = 'sgx-quote'
    report.title = 'an SGX quote, which says nothing about a TD'
  }
  addSection(report, 'header', [
    row('version', view.getUint16(0, true)),
    row('attestation key type', view.getUint16(2, true), '2 is ECDSA with P-256'),
    row('TEE type', `0x${view.getUint32(4, true).toString(16)}`, sgx ? 'SGX' : 'TDX'),
    row('QE vendor id', toHex(bytes.subarray(12, 28))),
  ])
}

function describeBody(report: Report, body: TdBody): void {
  const [isvSvn = 0, major = 0, microcode = 0] = body.teeTcbSvn
  const svn = `TDX module ${major === 0 ? '1.0' : `major version ${major}`}, security version ${isvSvn}, microcode ${microcode}`
  addSection(report, 'the machine', [
    row('TEE_TCB_SVN', toHex(body.teeTcbSvn), svn),
    row('TEE_TCB_SVN_2', body.teeTcbSvn2 && toHex(body.teeTcbSvn2), 'the TDX module that is loaded by now'),
    row('MRSEAM', toHex(body.mrSeam), 'hash of the TDX module'),
    row('MRSIGNERSEAM', hexOrZero(body.mrSignerSeam), 'who signed the TDX module; zero is Intel'),
    row('SEAMATTRIBUTES', toHex(body.seamAttributes), 'must be zero'),
  ])
  addSection(report, 'the TD', [
    row('TDATTRIBUTES', toHex(body.tdAttributes), attributesInWords(body.tdAttributes)),
    row('XFAM', toHex(body.xfam), featuresInWords(body.xfam)),
    row('MRTD', toHex(body.mrTd), 'hash of what the TD was built from: the firmware'),
    ...REGISTERS.map((what, i) => {
      const value = body.rtmr[i] ?? new Uint8Array()
      return row(`RTMR${i}`, hexOrZero(value), isZero(value) ? `nothing was measured: ${what}` : what)
    }),
    row('MRCONFIGID', hexOrZero(body.mrConfigId), 'set by whoever started the TD'),
    row('MROWNER', hexOrZero(body.mrOwner), 'set by whoever started the TD'),
    row('MROWNERCONFIG', hexOrZero(body.mrOwnerConfig), 'set by whoever started the TD'),
    row('MRSERVICETD', body.mrServiceTd && hexOrZero(body.mrServiceTd), 'TDs with rights over this one'),
    row('REPORTDATA', toHex(body.reportData), reportDataInWords(body.reportData)),
  ])
  const bits = attributeBits(body.tdAttributes)
  if (bits.debug)
    report.problems.push('TDATTRIBUTES: the TD can be debugged, so its memory is open to the host')
  if (bits.migratable)
    report.problems.push('TDATTRIBUTES: the TD can be migrated to a machine that nobody judged')
  if (bits.unknown) report.problems.push('TDATTRIBUTES: bits are set that no strict verifier accepts')
  if (!bits.septVeDisable)
    report.problems.push(
      'TDATTRIBUTES: SEPT_VE_DISABLE is off, so the host can interrupt the TD at any memory access',
    )
  if (!xfamAllowed(body.xfam)) report.problems.push('XFAM: not a set of features that TDX defines')
  if (!isZero(body.mrSignerSeam)) report.problems.push('MRSIGNERSEAM: the TDX module was not signed by Intel')
  if (!isZero(body.seamAttributes)) report.problems.push('SEAMATTRIBUTES: not zero')
  if (body.mrServiceTd !== undefined && !isZero(body.mrServiceTd))
    report.problems.push('MRSERVICETD: a service TD has rights over this TD')
}

function reportDataInWords(bytes: Uint8Array): string {
  if (isZero(bytes)) return 'what the TD bound to the quote: nothing'
  const text = textOf(bytes.slice(0, bytes.findLastIndex((byte) => byte !== 0) + 1))
  const readable = text !== undefined && /^[\x20-\x7e]{4,}$/.test(text)
  return `what the TD bound to the quote: nonce, keys${readable ? `; as text: ${text}` : ''}`
}

function describeQe(report: Report, { qeReport, qeAuthData }: Quote): void {
  addSection(report, 'the quoting enclave', [
    row('MRSIGNER', toHex(qeReport.mrSigner)),
    row('ISVPRODID', qeReport.isvProdId),
    row('ISVSVN', qeReport.isvSvn, 'its security version'),
    row('authentication data', count(qeAuthData.length, 'byte')),
  ])
}

async function describePlatform(report: Report, leaf: Certificate): Promise<void> {
  const platform = await attempt(report, 'PCK certificate', () => readPckPlatform(leaf))
  if (platform === undefined) return
  addSection(report, 'the platform, as its PCK certificate says', [
    row('FMSPC', platform.fmspc, 'processor family and configuration: which TCB info is for it'),
    row('PCEID', platform.pceId),
    row('PPID', platform.ppid, 'names this one machine'),
    row('PCESVN', platform.pceSvn),
    row('component versions', platform.components.join(' ')),
  ])
}

async function checkQuote(report: Report, quote: Quote, leaf: Certificate | undefined): Promise<void> {
  const { attestationKey, signature, signed, qeReport, qeAuthData, qeReportSignature } = quote
  const key = concat(Uint8Array.of(4), attestationKey)
  if (!(await verifyP256(key, signature, signed)))
    report.problems.push(
      'signature: header and TD report were changed after signing, or another key signed them',
    )
  const named = concat(sha256(concat(attestationKey, qeAuthData)), new Uint8Array(32))
  if (!equalBytes(named, qeReport.reportData))
    report.problems.push('quoting enclave: its report does not name this attestation key')
  if (leaf !== undefined && !(await verifyP256(leaf.publicKey, qeReportSignature, qeReport.raw)))
    report.problems.push('quoting enclave: its report is not signed by the key of the PCK certificate')
}
