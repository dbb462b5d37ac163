/** Reads files of collateral, none of them larger than collateral can be. Node only. */

import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { CollateralError } from './errors.ts'

/** The largest file taken, bytes: nine keys with the largest lists. */
export const MAX_FILE = 2 * 1024 * 1024

/** A pipe that nobody writes to would be waited for, before it could be seen to be one. Windows has neither. */
const WITHOUT_WAITING = constants.O_RDONLY | (constants.O_NONBLOCK ?? 0)

/**
 * A file's bytes, undefined when there is none. Throws CollateralError `ERR_COLLATERAL_FILES` when it is no plain file
 * or too large, and what the file system throws.
 */
export async function readBounded(path: string): Promise<Buffer | undefined> {
  const file = await open(path, WITHOUT_WAITING).catch(missing)
  if (file === undefined) return undefined
  try {
    const stats = await file.stat()
    if (!stats.isFile()) throw new CollateralError('ERR_COLLATERAL_FILES', `${path} is not a plain file`)
    if (stats.size > MAX_FILE)
      throw new CollateralError('ERR_COLLATERAL_FILES', `${path} is larger than ${MAX_FILE} bytes`)
    return await file.readFile()
  } finally {
    await file.close()
  }
}

function missing(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined
  throw error
}
