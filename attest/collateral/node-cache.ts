/** Keeps collateral in a folder, so that it outlives the process. Node only. */

import { join } from 'node:path'
import { z } from 'zod'
import { makeFolder, replaceFile } from '../node-files.ts'
import { collateralSchema } from '../tdx/collateral.ts'
import type { CollateralStore } from './cache.ts'
import { readBounded } from './node-files.ts'
import type { ObtainedCollateral } from './source.ts'

const FORMAT = 'chrysalis/collateral-cache/1'

const entrySchema = z.strictObject({
  format: z.literal(FORMAT),
  source: z.string().max(2048),
  fetchedAt: z.number(),
  collateral: collateralSchema,
})

/**
 * A store of one file for each platform and source, in a folder of mode 0700 that is made when it is missing. Files
 * are 0600 and replaced whole, so several processes may share a folder. All in them is signed by Intel and checked
 * again when read: a damaged file counts as none.
 */
export function collateralFolder(dir: string): CollateralStore {
  return {
    read: (key) => readEntry(join(dir, `${key}.json`)),
    write: async (key, entry) => {
      await makeFolder(dir, 0o700)
      await replaceFile(join(dir, `${key}.json`), encodeEntry(entry))
    },
  }
}

function encodeEntry({ source, fetchedAt, collateral }: ObtainedCollateral): string {
  return `${JSON.stringify({ format: FORMAT, source, fetchedAt, collateral }, null, 2)}\n`
}

async function readEntry(path: string): Promise<ObtainedCollateral | undefined> {
  const bytes = await readBounded(path)
  if (bytes === undefined) return undefined
  try {
    const { source, fetchedAt, collateral } = entrySchema.parse(JSON.parse(bytes.toString('utf8')))
    return { source, fetchedAt, collateral }
  } catch {
    return undefined
  }
}
