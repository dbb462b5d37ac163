/** Which versions of the link protocol this build speaks, and how two sides agree on one. */

import { z } from 'zod'

export const versionRangeSchema = z
  .strictObject({ min: z.int().min(1).max(1_000_000), max: z.int().min(1).max(1_000_000) })
  .refine((range) => range.min <= range.max, { message: 'min is above max' })

/** An inclusive range of protocol versions. */
export type VersionRange = z.infer<typeof versionRangeSchema>

/** What this build speaks. Version 1 was never released: it had neither a signed welcome nor `attest-for`. */
export const LINK_VERSIONS: VersionRange = { min: 2, max: 2 }

/** The highest version that both ranges hold, or undefined when the two are too far apart. */
export function negotiate(mine: VersionRange, theirs: VersionRange): number | undefined {
  const version = Math.min(mine.max, theirs.max)
  return version >= Math.max(mine.min, theirs.min) ? version : undefined
}
