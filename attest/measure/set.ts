/** The measurement file: what a release publishes, and what a policy's `measurements` takes over one to one. */

import { z } from 'zod'
import { canonicalBytes, parseStrictJson } from '../json.ts'
import { MeasureError } from './errors.ts'

const MAX_FILE = 1024 * 1024

const hex = (bytes: number) =>
  z.string().regex(new RegExp(`^[0-9a-f]{${bytes * 2}}$`), `not ${bytes} bytes of lower-case hex`)
const name = z.string().min(1).max(128)
const register = hex(48).nullable()

/** One TD that may run: `null` means that the register is not compared. All values are 48 bytes in hex. */
const setSchema = z.strictObject({
  name,
  mrTd: hex(48),
  rtmr: z.tuple([register, register, register, register]),
  mrConfigId: hex(48).optional(),
  mrOwner: hex(48).optional(),
  mrOwnerConfig: hex(48).optional(),
})

/** The files and settings that one set was computed from, so that anybody can compute it again. */
const sourceSchema = z.strictObject({
  set: name,
  firmware: z.strictObject({ sha256: hex(32), pages: z.enum(['per-page', 'two-pass']) }),
  kernel: z
    .strictObject({
      sha256: hex(32),
      setupHeader: z.union([
        z.literal('as-is'),
        z.strictObject({ memoryBytes: z.int().positive(), acpiBytes: z.int().min(0).optional() }),
      ]),
      cmdline: z.string().min(1).max(2048),
      initrdSha256: hex(32).optional(),
    })
    .optional(),
})

const fileSchema = z
  .strictObject({
    format: z.literal('chrysalis/measurements/1'),
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

export type MeasurementSet = z.infer<typeof setSchema>
export type MeasurementSource = z.infer<typeof sourceSchema>
export type MeasurementFile = z.infer<typeof fileSchema>

/** Checks a measurement file that was made or read. Throws MeasureError that names the field. */
export function checkMeasurements(value: unknown): MeasurementFile {
  const parsed = fileSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new MeasureError(`measurement file: ${issue?.path.join('.')}: ${issue?.message}`)
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
  return canonicalBytes(checkMeasurements({ format: 'chrysalis/measurements/1', ...file }))
}
