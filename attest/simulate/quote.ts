/** Builds TDX v4 quotes, byte-exact: the inverse of tdx/quote.ts. */

import { createHash, type KeyObject, sign } from 'node:crypto'
import { concat, fromHex, utf8 } from '../bytes.ts'
import { ChrysalisError } from '../errors.ts'
import { BODY_TD10, INTEL_QE_VENDOR, TEE_TDX } from '../tdx/quote.ts'
import { encodePem } from '../x509/index.ts'
import { rawPublicKey } from './certificates.ts'
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
  /** 48 each */ rtmr: readonly [Uint8Array, Uint8Array, Uint8Array, Uint8Array]
}

/** What the simulated quoting enclave reports about itself. */
export interface QeSpec {
  /** 32 */ mrSigner: Uint8Array
  isvProdId: number
  isvSvn: number
}

export const QE: QeSpec = {
  mrSigner: digest('sha256', 'chrysalis/simulated/qe-signer'),
  isvProdId: 2,
  isvSvn: 4,
}
const QE_ATTRIBUTES = fromHex('11000000000000000000000000000000')
const QE_AUTH_DATA = Uint8Array.from({ length: 32 }, (_, i) => i)

/** The report of a simulated TD that runs this software: MRTD and RTMR0-2 follow from the text alone. */
export function tdReport(software: string): TdReport {
  const register = (name: string): Uint8Array => digest('sha384', `chrysalis/simulated/${name}\0${software}`)
  return {
    teeTcbSvn: Uint8Array.of(7, 1, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    mrSeam: digest('sha384', 'chrysalis/simulated/tdx-module'),
    mrSignerSeam: new Uint8Array(48),
    seamAttributes: new Uint8Array(8),
    tdAttributes: fromHex('0000001000000000'),
    xfam: fromHex('e702060000000000'),
    mrTd: register('mrtd'),
    rtmr: [register('rtmr0'), register('rtmr1'), register('rtmr2'), new Uint8Array(48)],
  }
}

/** Makes the quote over a TD report and 64 bytes of report data. */
export function makeQuote(
  report: TdReport,
  reportData: Uint8Array,
  { platform, attestationKey, qe = QE }: { platform: Platform; attestationKey: KeyObject; qe?: QeSpec },
): Uint8Array<ArrayBuffer> {
  if (reportData.length !== 64) {
    throw new ChrysalisError('ERR_REPORT_DATA', 'report data is 64 bytes')
  }
  const signedPart = concat(header(platform), tdBody(report, reportData))
  const publicKey = rawPublicKey(attestationKey)
  const qeReport = makeQeReport(qe, publicKey)
  const { leaf, ca, root } = platform.certificates
  const chain = utf8(`${encodePem([leaf, ca, root])}\0`)
  const certification = concat(
    qeReport,
    ecdsa(qeReport, platform.keys.leaf),
    u16(QE_AUTH_DATA.length),
    QE_AUTH_DATA,
    u16(5),
    u32(chain.length),
    chain,
  )
  const signatureData = concat(
    ecdsa(signedPart, attestationKey),
    publicKey,
    u16(6),
    u32(certification.length),
    certification,
  )
  return concat(signedPart, u32(signatureData.length), signatureData)
}

function header({ certificates }: Platform): Uint8Array {
  // The user data starts with the quoting enclave's id, which stays the same on one platform.
  const qeId = digest('sha256', certificates.leaf).subarray(0, 16)
  const fixed = [u16(4), u16(2), u32(TEE_TDX), new Uint8Array(4), fromHex(INTEL_QE_VENDOR)]
  return concat(...fixed, qeId, new Uint8Array(4))
}

function tdBody(report: TdReport, reportData: Uint8Array): Uint8Array {
  const owner = new Uint8Array(3 * 48)
  const { teeTcbSvn, mrSeam, mrSignerSeam, seamAttributes, tdAttributes, xfam, mrTd, rtmr } = report
  const parts = [
    teeTcbSvn,
    mrSeam,
    mrSignerSeam,
    seamAttributes,
    tdAttributes,
    xfam,
    mrTd,
    owner,
    ...rtmr,
    reportData,
  ]
  const body = concat(...parts)
  if (body.length !== BODY_TD10) throw new RangeError(`a TD report is ${BODY_TD10} bytes`)
  return body
}

function makeQeReport(qe: QeSpec, attestationKey: Uint8Array): Uint8Array {
  const report = new Uint8Array(384)
  report.set(QE_ATTRIBUTES, 48)
  report.set(digest('sha256', 'chrysalis/simulated/qe'), 64)
  report.set(qe.mrSigner, 128)
  report.set(u16(qe.isvProdId), 256)
  report.set(u16(qe.isvSvn), 258)
  report.set(digest('sha256', concat(attestationKey, QE_AUTH_DATA)), 320)
  return report
}

function ecdsa(message: Uint8Array, key: KeyObject): Uint8Array {
  return sign('sha256', message, { key, dsaEncoding: 'ieee-p1363' })
}

/** Hash of text or bytes. */
export function digest(algorithm: 'sha256' | 'sha384', data: string | Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(createHash(algorithm).update(data).digest())
}

function u16(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, value >> 8)
}

function u32(value: number): Uint8Array {
  return Uint8Array.of(value & 0xff, (value >> 8) & 0xff, (value >> 16) & 0xff, value >>> 24)
}
