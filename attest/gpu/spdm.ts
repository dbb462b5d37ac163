/**
 * SPDM 1.1 measurement reports of NVIDIA's GPUs and switches (DMTF DSP0274 1.1, GET_MEASUREMENTS): the request as the
 * driver sent it, straight after it the response. Parsed strictly: every length nests exactly, every constant is what
 * it must be, nothing follows the signature. All integers are little endian.
 */

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

/** Reads fields in order from a byte range that must be used up exactly. */
class Fields {
  readonly #bytes: Uint8Array
  readonly #where: string
  #at = 0

  constructor(bytes: Uint8Array, where: string) {
    this.#bytes = bytes
    this.#where = where
  }

  get done(): boolean {
    return this.#at === this.#bytes.length
  }

  take(length: number, what: string): Uint8Array {
    const end = this.#at + length
    if (end > this.#bytes.length) throw this.error(`too short for ${what}`)
    const field = this.#bytes.subarray(this.#at, end)
    this.#at = end
    return field
  }

  /** An unsigned integer of 1 to 3 bytes. */
  number(length: number, what: string): number {
    return this.take(length, what).reduceRight((value, byte) => value * 256 + byte, 0)
  }

  /** Bytes that have one right value. */
  expect(values: readonly number[], what: string): void {
    const found = this.take(values.length, what)
    if (values.some((value, i) => found[i] !== value)) throw this.error(`${what} is not what it must be`)
  }

  end(): void {
    if (!this.done) throw this.error('bytes left over')
  }

  error(problem: string): GpuError {
    return new GpuError('ERR_GPU_REPORT', `${this.#where}: ${problem} at byte ${this.#at}`)
  }
}

/** Parses one report, request and response. Throws GpuError ERR_GPU_REPORT. */
export function parseReport(bytes: Uint8Array): Report {
  if (bytes.length > MAX_REPORT) throw reportError(`more than ${MAX_REPORT} bytes`)
  const nonce = readRequest(new Fields(bytes.subarray(0, REQUEST), 'measurement request'))
  const response = new Fields(bytes.subarray(REQUEST), 'measurement response')
  response.expect([0x11, 0x60, 0, 0], 'SPDM 1.1 MEASUREMENTS header')
  const count = response.number(1, 'number of blocks')
  const record = response.take(response.number(3, 'record length'), 'measurement record')
  const deviceNonce = response.take(NONCE, 'nonce')
  const opaque = response.take(response.number(2, 'opaque length'), 'opaque data')
  const signature = response.take(SIGNATURE, 'signature')
  response.end()
  const fields = readOpaque(new Fields(opaque, 'opaque data'))
  return {
    nonce,
    deviceNonce,
    measurements: readMeasurements(new Fields(record, 'measurement record'), count),
    opaque: fields,
    facts: readFacts(fields),
    signed: bytes.subarray(0, bytes.length - SIGNATURE),
    signature,
  }
}

/** All measurements, signed, over slot 0: the only request that NVIDIA's driver makes. */
function readRequest(request: Fields): Uint8Array {
  request.expect([0x11, 0xe0, 0x01, 0xff], 'SPDM 1.1 GET_MEASUREMENTS header')
  const nonce = request.take(NONCE, 'nonce')
  request.expect([0], 'certificate slot')
  return nonce
}

function readMeasurements(record: Fields, count: number): Measurement[] {
  const measurements: Measurement[] = []
  let last = 0
  while (!record.done) {
    const index = record.number(1, 'block index')
    if (index <= last) throw record.error('block indices do not rise')
    last = index
    record.expect([1], 'measurement specification')
    record.expect([DIGEST + 3, 0], 'block size')
    const type = record.number(1, 'measurement type')
    if (type > 3) throw record.error(`measurement type ${type} is unknown`)
    record.expect([DIGEST, 0], 'measurement size')
    measurements.push({ index, type, value: record.take(DIGEST, 'measurement') })
  }
  if (measurements.length !== count || count === 0) throw record.error('not the number of blocks announced')
  return measurements
}

function readOpaque(opaque: Fields): Map<number, Uint8Array> {
  const fields = new Map<number, Uint8Array>()
  while (!opaque.done) {
    const type = opaque.number(2, 'field type')
    const value = opaque.take(opaque.number(2, 'field size'), `field ${type}`)
    if (fields.has(type)) throw opaque.error(`field ${type} twice`)
    fields.set(type, value)
  }
  return fields
}

function reportError(problem: string): GpuError {
  return new GpuError('ERR_GPU_REPORT', `measurement report: ${problem}`)
}
