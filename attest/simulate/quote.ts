/** Builds TDX quotes (v4, v5 with TD 1.0 and TD 1.5 reports), byte-exact: the inverse of tdx/quote.ts. */

import { type KeyObject, sign } from 'node:crypto'
import { concat, fromHex, u16le, u32le, utf8 } from '../bytes.ts'
import { ChrysalisError } from '../errors.ts'
import { BODY_TD10, BODY_TD15, INTEL_QE_VENDOR, TEE_TDX } from '../tdx/quote.ts'
import { encodePem } from '../x509/index.ts'
import { rawPublicKey } from './certificates.ts'
import { digest } from './digest.ts'
import type { Platform } from './platform.ts'

/** What a simulated TD reports; everything but the measurements looks like a current platform. */
export interface TdReport {
  /** 16 */ teeTcbSvn: Uint8Array
  /** 48 */ mrSeam: Uint8Array
  /** 48 */ mrSignerSeam: Uint8Array
  /** 8 */ seamAttributes: Uint8Array
  /** 8 */ tdAttributes: Uint8Array
  /** 8 */ xfam: Uint8Array
  /** 48 */ mrTd: Uint8Array
  /** 48 */ mrConfigId: Uint8Array
  /** 48 */ mrOwner: Uint8Array
  /** 48 */ mrOwnerConfig: Uint8Array
  /** 48 each */ rtmr: readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array]
  /** 16, in TD 1.5 reports: what is loaded now, while teeTcbSvn is what the TD started under. */
  teeTcbSvn2: Uint8Array
  /** 48, in TD 1.5 reports */ mrServiceTd: Uint8Array
}

/** How a quote is laid out. Everything but version and body exists to make quotes that must be refused. */
export interface QuoteWire {
  version: number
  body: 'td10' | 'td15'
  /** Little-endian header fields. */
  keyType: number
  teeType: number
  /** 16 bytes, hex. */
  vendor: string
  /** Certification data types of the signature data and inside it. */
  outerType: number
  innerType: number
  qeAuthData: Uint8Array
  /** Zeros or not, behind the quote. */
  padding: Uint8Array
}

/** A quote as real machines make it. */
export const WIRE: QuoteWire = {
  version: 4,
  body: 'td10',
  keyType: 2,
  teeType: TEE_TDX,
  vendor: INTEL_QE_VENDOR,
  outerType: 6,
  innerType: 5,
  qeAuthData: Uint8Array.from({ length: 32 }, (_, i) => i),
  padding: new Uint8Array(),
}

/** What the simulated quoting enclave reports about itself. */
export interface QeSpec {
  /** 32 */ mrSigner: Uint8Array
  isvProdId: number
  isvSvn: number
  /** 16 */ attributes: Uint8Array
  /** 4, little endian */ miscSelect: Uint8Array
}

export const QE: QeSpec = {
  mrSigner: digest('sha256', 'chrysalis/simulated/qe-signer'),
  isvProdId: 2,
  isvSvn: 4,
  attributes: fromHex('11000000000000000000000000000000'),
  miscSelect: new Uint8Array(4),
}

/** TEE_TCB_SVN of the simulated platform: module 1.x at version 7, microcode at 3. */
export const TEE_TCB_SVN = Uint8Array.of(7, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)

/** The report of a simulated TD that runs this software: MRTD follows from the text; the registers are the event log's. */
export function tdReport(software: string): TdReport {
  const zero = new Uint8Array(48)
  return {
    teeTcbSvn: TEE_TCB_SVN,
    mrSeam: digest('sha384', 'chrysalis/simulated/tdx-module'),
    mrSignerSeam: new Uint8Array(48),
    seamAttributes: new Uint8Array(8),
    tdAttributes: fromHex('0000001000000000'),
    xfam: fromHex('e702060000000000'),
    mrTd: digest('sha384', `chrysalis/simulated/mrtd\0${software}`),
    mrConfigId: new Uint8Array(48),
    mrOwner: new Uint8Array(48),
    mrOwnerConfig: new Uint8Array(48),
    rtmr: [zero, zero, zero, zero],
    teeTcbSvn2: TEE_TCB_SVN,
    mrServiceTd: new Uint8Array(48),
  }
}

export interface QuoteParts {
  platform: Platform
  attestationKey: KeyObject
  qe?: QeSpec
  wire?: QuoteWire
  /** Certificates in the order of the quote; leaf, CA, root when absent. */
  chain?: readonly Uint8Array[]
  /** Another key than the PCK's for the QE report, or than the attestation key for the TD report. */
  qeReportKey?: KeyObject
  signingKey?: KeyObject
}

/** Makes the quote over a TD report and 64 bytes of report data. */
export function makeQuote(
  report: TdReport,
  reportData: Uint8Array,
  parts: QuoteParts,
): Uint8Array<ArrayBuffer> {
  if (reportData.length !== 64) {
    throw new ChrysalisError('ERR_REPORT_DATA', 'report data is 64 bytes')
  }
  const { platform, attestationKey, wire = WIRE } = parts
  const signedPart = concat(header(platform, wire), tdBody(report, reportData, wire))
  const publicKey = rawPublicKey(attestationKey)
  const certification = certificationData(publicKey, parts)
  const signatureData = concat(
    ecdsa(signedPart, parts.signingKey ?? attestationKey),
    publicKey,
    u16le(wire.outerType),
    u32le(certification.length),
    certification,
  )
  return concat(signedPart, u32le(signatureData.length), signatureData, wire.padding)
}

function header({ certificates }: Platform, wire: QuoteWire): Uint8Array {
  const { version, keyType, teeType, vendor } = wire
  const fixed = [u16le(version), u16le(keyType), u32le(teeType), new Uint8Array(4), fromHex(vendor)]
  return concat(...fixed, quotingEnclaveId(certificates.leaf), new Uint8Array(4))
}

/** The user data starts with the quoting enclave's id, which stays the same on one platform. 16 bytes. */
export function quotingEnclaveId(leaf: Uint8Array): Uint8Array<ArrayBuffer> {
  return digest('sha256', leaf).slice(0, 16)
}

function tdBody(report: TdReport, reportData: Uint8Array, { version, body }: QuoteWire): Uint8Array {
  const td15 = body === 'td15'
  const bytes = concat(
    report.teeTcbSvn,
    report.mrSeam,
    report.mrSignerSeam,
    report.seamAttributes,
    report.tdAttributes,
    report.xfam,
    report.mrTd,
    report.mrConfigId,
    report.mrOwner,
    report.mrOwnerConfig,
    ...report.rtmr,
    reportData,
    ...(td15 ? [report.teeTcbSvn2, report.mrServiceTd] : []),
  )
  const size = td15 ? BODY_TD15 : BODY_TD10
  if (bytes.length !== size) throw new RangeError(`a TD report is ${size} bytes`)
  return version < 5 ? bytes : concat(u16le(td15 ? 3 : 2), u32le(size), bytes)
}

function certificationData(publicKey: Uint8Array, parts: QuoteParts): Uint8Array {
  const { platform, qe = QE, wire = WIRE } = parts
  const qeReport = makeQeReport(qe, publicKey, wire.qeAuthData)
  const { leaf, ca, root } = platform.certificates
  const chain = utf8(`${encodePem([...(parts.chain ?? [leaf, ca, root])])}\0`)
  return concat(
    qeReport,
    ecdsa(qeReport, parts.qeReportKey ?? platform.keys.leaf),
    u16le(wire.qeAuthData.length),
    wire.qeAuthData,
    u16le(wire.innerType),
    u32le(chain.length),
    chain,
  )
}

function makeQeReport(qe: QeSpec, attestationKey: Uint8Array, authData: Uint8Array): Uint8Array {
  const report = new Uint8Array(384)
  report.set(qe.miscSelect, 16)
  report.set(qe.attributes, 48)
  report.set(digest('sha256', 'chrysalis/simulated/qe'), 64)
  report.set(qe.mrSigner, 128)
  report.set(u16le(qe.isvProdId), 256)
  report.set(u16le(qe.isvSvn), 258)
  report.set(digest('sha256', concat(attestationKey, authData)), 320)
  return report
}

function ecdsa(message: Uint8Array, key: KeyObject): Uint8Array {
  return sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' })
}
