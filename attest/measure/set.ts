/** The measurement file: what a release publishes, and what a policy's `measurements` takes over one to one. */

import { z } from 'zod'
import { canonicalBytes, parseStrictJson } from '../json.ts'
import { measurementSetSchema } from '../policy/policy.ts'
import { firstIssue, hexOf } from '../schema.ts'
import { MeasureError } from './errors.ts'

/** First member of a measurement file. */
export const MEASUREMENTS_FORMAT = 'chrysalis/measurements/1'
const MAX_FILE = 1024 * 1024

const name = z.string().min(1).max(128)

/** A policy's measurement set; here it needs a name, by which its source is found. */
const setSchema = measurementSetSchema.extend({ name })

/** The files and settings that one set was computed from, so that anybody can compute it again. */
const sourceSchema = z.strictObject({
  set: name,
  firmware: z.strictObject({ sha256: hexOf(32), pages: z.enum(['per-page', 'two-pass']) }),
  kernel: z
    .strictObject({
      sha256: hexOf(32),
      setupHeader: z.union([
        z.literal('as-is'),
        z.strictObject({ memoryBytes: z.int().positive(), acpiBytes: z.int().min(0).optional() }),
      ]),
      cmdline: z.string().min(1).max(2048),
      initrdSha256: hexOf(32).optional(),
    })
    .optional(),
})

const fileSchema = z
  .strictObject({
    format: z.literal(MEASUREMENTS_FORMAT),
    name,
    sets: z.array(setSchema).min(1).max(64),
    sources: z.array(sourceSchema).max(64).optional(),
  })
  .refine(({ sets }) => new Set(sets.map((set) => set.name)).size === sets.length, {
    path: ['sets'],
    message: 'two sets have the same name',
  })
  .refine(({ sets, sources }) => (sources ?? []).every(({ set }) => sets.some((one) => one.name === set)), {
    path: ['sources'],
    message: 'a source names a set that is not there',
  })

export type MeasurementSource = z.infer<typeof sourceSchema>
export type MeasurementFile = z.infer<typeof fileSchema>

/** Checks a measurement file that was made or read. Throws MeasureError that names the field. */
export function checkMeasurements(value: unknown): MeasurementFile {
  const parsed = fileSchema.safeParse(value)
  if (parsed.success) return parsed.data
  throw new MeasureError(`measurement file: ${firstIssue(parsed.error)}`)
}

/** Parses the bytes of a measurement file (at most 1 MiB of JSON without repeated names). Throws MeasureError. */
export function parseMeasurements(bytes: Uint8Array): MeasurementFile {
  if (bytes.length > MAX_FILE) throw new MeasureError(`measurement file: more than ${MAX_FILE} bytes`)
  let value: unknown
  try {
    value = parseStrictJson(bytes)
  } catch (error) {
    throw new MeasureError(`measurement file: not JSON: ${(error as Error).message}`)
  }
  return checkMeasurements(value)
}

/** The canonical bytes (RFC 8785) of a measurement file: what to hash and to sign. Throws MeasureError. */
export function encodeMeasurements(file: Omit<MeasurementFile, 'format'>): Uint8Array<ArrayBuffer> {
  return canonicalBytes(checkMeasurements({ format: MEASUREMENTS_FORMAT, ...file }))
}
