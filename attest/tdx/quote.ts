/**
 * Intel TDX quotes, versions 4 and 5, parsed strictly: every length nests exactly, every constant is what it must be,
 * and what follows the quote is zero padding. Offsets: Intel's QuoteStructures.h; all integers little endian.
 */

import { isZero, toHex } from '../bytes.ts'
import { ChrysalisError } from '../errors.ts'
import { FieldReader } from '../fields.ts'

/** A quote or its parts are not what a TDX quote must be. */
export class QuoteError extends ChrysalisError {
  constructor(message: string) {
    super('ERR_QUOTE', message)
  }
}

/** The largest quote that is looked at, padding included, in bytes (real ones: 4,935 to 8,000). */
export const MAX_QUOTE = 16 * 1024

/** Intel's QE vendor id, the only one defined. */
export const INTEL_QE_VENDOR = '939a7233f79c4ca9940a0db3957f0607'

export const TEE_TDX = 0x81
export const BODY_TD10 = 584
export const BODY_TD15 = 648

/** The TD report: lengths in bytes are given behind each field. */
export interface TdBody {
  kind: 'td10' | 'td15'
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
  /** 64 */ reportData: Uint8Array
  /** 16, TD 1.5 only */ teeTcbSvn2: Uint8Array | undefined
  /** 48, TD 1.5 only */ mrServiceTd: Uint8Array | undefined
}

/** The report of the quoting enclave, an SGX report body of 384 bytes. */
export interface QeReport {
  /** 384: the signed part */ raw: Uint8Array
  /** 4 */ miscSelect: Uint8Array
  /** 16 */ attributes: Uint8Array
  /** 32 */ mrSigner: Uint8Array
  isvProdId: number
  isvSvn: number
  /** 64 */ reportData: Uint8Array
}

export interface Quote {
  version: 4 | 5
  /** 16: the quoting enclave's id, the same for one platform until its keys are made anew. */ qeId: Uint8Array
  body: TdBody
  /** Header and body: what the attestation key signs. */ signed: Uint8Array
  /** r || s, 64 */ signature: Uint8Array
  /** x || y, 64 */ attestationKey: Uint8Array
  qeReport: QeReport
  /** r || s, 64 */ qeReportSignature: Uint8Array
  qeAuthData: Uint8Array
  /** PEM text of the PCK chain, as bytes. */ pckChain: Uint8Array
  /** Bytes of the quote proper; the rest of the input is zero padding and is not signed. */ length: number
}

/** Parses a TDX quote. Throws QuoteError; signatures are checked elsewhere. */
export function parseQuote(bytes: Uint8Array): Quote {
  if (bytes.length > MAX_QUOTE) throw new QuoteError(`quote: more than ${MAX_QUOTE} bytes`)
  const fields = fieldsOf(bytes, 'quote')
  const { version, qeId } = readHeader(fields)
  const body = readBody(fields, version)
  const signed = bytes.subarray(0, fields.offset)
  const signatureData = fields.take(fields.uint(4, 'signature length'), 'signature data')
  const length = fields.offset
  if (!isZero(fields.rest())) throw new QuoteError('quote: padding is not zero')
  return { version, qeId, body, signed, ...readSignatureData(signatureData), length }
}

function readHeader(fields: FieldReader): { version: 4 | 5; qeId: Uint8Array } {
  const version = fields.uint(2, 'version')
  if (version !== 4 && version !== 5) throw new QuoteError(`quote: version ${version} is not 4 or 5`)
  const keyType = fields.uint(2, 'attestation key type')
  if (keyType !== 2) throw new QuoteError(`quote: attestation key type ${keyType} is not 2 (ECDSA P-256)`)
  const tee = fields.uint(4, 'TEE type')
  if (tee !== TEE_TDX) throw new QuoteError(`quote: TEE type 0x${tee.toString(16)} is not TDX`)
  if (!isZero(fields.take(4, 'header'))) throw new QuoteError('quote: reserved header bytes are not zero')
  const vendor = fields.take(16, 'QE vendor id')
  if (toHex(vendor) !== INTEL_QE_VENDOR) throw new QuoteError('quote: QE vendor id is not Intel')
  return { version, qeId: fields.take(20, 'user data').subarray(0, 16) }
}

function readBody(fields: FieldReader, version: 4 | 5): TdBody {
  if (version === 4) return parseBody(fields.take(BODY_TD10, 'TD report'), 'td10')
  const type = fields.uint(2, 'body type')
  const size = fields.uint(4, 'body size')
  const kind =
    type === 2 && size === BODY_TD10 ? 'td10' : type === 3 && size === BODY_TD15 ? 'td15' : undefined
  if (kind === undefined) throw new QuoteError(`quote: body type ${type} of ${size} bytes is not a TD report`)
  return parseBody(fields.take(size, 'TD report'), kind)
}

function parseBody(bytes: Uint8Array, kind: 'td10' | 'td15'): TdBody {
  const fields = fieldsOf(bytes, 'TD report')
  const take = (length: number): Uint8Array => fields.take(length, 'TD report')
  const body: TdBody = {
    kind,
    teeTcbSvn: take(16),
    mrSeam: take(48),
    mrSignerSeam: take(48),
    seamAttributes: take(8),
    tdAttributes: take(8),
    xfam: take(8),
    mrTd: take(48),
    mrConfigId: take(48),
    mrOwner: take(48),
    mrOwnerConfig: take(48),
    rtmr: [take(48), take(48), take(48), take(48)],
    reportData: take(64),
    teeTcbSvn2: kind === 'td15' ? take(16) : undefined,
    mrServiceTd: kind === 'td15' ? take(48) : undefined,
  }
  fields.end()
  return body
}

function readSignatureData(
  bytes: Uint8Array,
): Omit<Quote, 'version' | 'qeId' | 'body' | 'signed' | 'length'> {
  const fields = fieldsOf(bytes, 'signature data')
  const signature = fields.take(64, 'quote signature')
  const attestationKey = fields.take(64, 'attestation key')
  const outerType = fields.uint(2, 'certification data type')
  if (outerType !== 6)
    throw new QuoteError(`quote: certification data type ${outerType} is not 6 (QE report)`)
  const certification = fieldsOf(
    fields.take(fields.uint(4, 'certification size'), 'certification data'),
    'certification data',
  )
  fields.end()
  const qeReport = parseQeReport(certification.take(384, 'QE report'))
  const qeReportSignature = certification.take(64, 'QE report signature')
  const qeAuthData = certification.take(certification.uint(2, 'QE auth size'), 'QE auth data')
  const innerType = certification.uint(2, 'QE certification type')
  if (innerType !== 5)
    throw new QuoteError(`quote: QE certification data type ${innerType} is not 5 (PCK chain)`)
  const pckChain = certification.take(certification.uint(4, 'PCK chain size'), 'PCK chain')
  certification.end()
  return { signature, attestationKey, qeReport, qeReportSignature, qeAuthData, pckChain }
}

function parseQeReport(raw: Uint8Array): QeReport {
  return {
    raw,
    miscSelect: raw.subarray(16, 20),
    attributes: raw.subarray(48, 64),
    mrSigner: raw.subarray(128, 160),
    isvProdId: (raw[256] ?? 0) | ((raw[257] ?? 0) << 8),
    isvSvn: (raw[258] ?? 0) | ((raw[259] ?? 0) << 8),
    reportData: raw.subarray(320, 384),
  }
}

/** Reads a part of a quote, which errors name. */
function fieldsOf(bytes: Uint8Array, part: string): FieldReader {
  const where = part === 'quote' ? part : `quote: ${part}`
  return new FieldReader(bytes, (problem) => new QuoteError(`${where}: ${problem}`))
}
