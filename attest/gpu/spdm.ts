/**
 * SPDM 1.1 measurement reports of NVIDIA's GPUs and switches (DMTF DSP0274 1.1, GET_MEASUREMENTS): the request as the
 * driver sent it, straight after it the response. Parsed strictly: every length nests exactly, every constant is what
 * it must be, nothing follows the signature. All integers are little endian.
 */

import { FieldReader } from '../fields.ts'
import { GpuError } from './errors.ts'
import { type Facts, readFacts } from './opaque.ts'

/** The largest report that is looked at, in bytes: what NVIDIA's driver reserves for one (real ones: 2,168 to 4,274). */
export const MAX_REPORT = 0x2000

const REQUEST = 37
const NONCE = 32
const SIGNATURE = 96
const DIGEST = 48

/** One measurement: SHA-384 of something in the device. Indices start at 1 and rise. */
export interface Measurement {
  index: number
  /** DMTFSpecMeasurementValueType: 0 ROM, 1 firmware, 2 hardware configuration, 3 firmware configuration. */
  type: number
  /** 48 */ value: Uint8Array
}

export interface Report {
  /** 32: what the verifier chose, in the request */ nonce: Uint8Array
  /** 32: what the device chose */ deviceNonce: Uint8Array
  measurements: readonly Measurement[]
  /** What the device says of itself, by type number; each type once. */
  opaque: ReadonlyMap<number, Uint8Array>
  /** The fields of `opaque` that are understood here. */
  facts: Facts
  /** Request and response without the signature: what the leaf key signs. */ signed: Uint8Array
  /** r || s, 96 */ signature: Uint8Array
}

/** Parses one report, request and response. Throws GpuError ERR_GPU_REPORT. */
export function parseReport(bytes: Uint8Array): Report {
  if (bytes.length > MAX_REPORT) throw reportError(`more than ${MAX_REPORT} bytes`)
  const nonce = readRequest(fieldsOf(bytes.subarray(0, REQUEST), 'measurement request'))
  const response = fieldsOf(bytes.subarray(REQUEST), 'measurement response')
  response.expect([0x11, 0x60, 0, 0], 'SPDM 1.1 MEASUREMENTS header')
  const count = response.uint(1, 'number of blocks')
  const record = response.take(response.uint(3, 'record length'), 'measurement record')
  const deviceNonce = response.take(NONCE, 'nonce')
  const opaque = response.take(response.uint(2, 'opaque length'), 'opaque data')
  const signature = response.take(SIGNATURE, 'signature')
  response.end()
  const fields = readOpaque(fieldsOf(opaque, 'opaque data'))
  return {
    nonce,
    deviceNonce,
    measurements: readMeasurements(fieldsOf(record, 'measurement record'), count),
    opaque: fields,
    facts: readFacts(fields),
    signed: bytes.subarray(0, bytes.length - SIGNATURE),
    signature,
  }
}

/** All measurements, signed, over slot 0: the only request that NVIDIA's driver makes. */
function readRequest(request: FieldReader): Uint8Array {
  request.expect([0x11, 0xe0, 0x01, 0xff], 'SPDM 1.1 GET_MEASUREMENTS header')
  const nonce = request.take(NONCE, 'nonce')
  request.expect([0], 'certificate slot')
  return nonce
}

function readMeasurements(record: FieldReader, count: number): Measurement[] {
  const measurements: Measurement[] = []
  let last = 0
  while (!record.done) {
    const index = record.uint(1, 'block index')
    if (index <= last) throw record.error('block indices do not rise')
    last = index
    record.expect([1], 'measurement specification')
    record.expect([DIGEST + 3, 0], 'block size')
    const type = record.uint(1, 'measurement type')
    if (type > 3) throw record.error(`measurement type ${type} is unknown`)
    record.expect([DIGEST, 0], 'measurement size')
    measurements.push({ index, type, value: record.take(DIGEST, 'measurement') })
  }
  if (measurements.length !== count || count === 0) throw record.error('not the number of blocks announced')
  return measurements
}

function readOpaque(opaque: FieldReader): Map<number, Uint8Array> {
  const fields = new Map<number, Uint8Array>()
  while (!opaque.done) {
    const type = opaque.uint(2, 'field type')
    const value = opaque.take(opaque.uint(2, 'field size'), `field ${type}`)
    if (fields.has(type)) throw opaque.error(`field ${type} twice`)
    fields.set(type, value)
  }
  return fields
}

function fieldsOf(bytes: Uint8Array, where: string): FieldReader {
  const fail = (problem: string, at: number): GpuError =>
    new GpuError('ERR_GPU_REPORT', `${where}: ${problem} at byte ${at}`)
  return new FieldReader(bytes, fail)
}

function reportError(problem: string): GpuError {
  return new GpuError('ERR_GPU_REPORT', `measurement report: ${problem}`)
}
