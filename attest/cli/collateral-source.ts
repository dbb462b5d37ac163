/** Where collateral comes from: a file, a folder, or a PCS or PCCS. */

import { stat } from 'node:fs/promises'
import { readJson } from './evidence-files.ts'
import { type Io, pathOf } from './io.ts'

/**
 * The collateral that `--collateral` names. What is read is handed on as it is: whether it is right is for the judge.
 * @throws ArgumentError for a path that cannot be read, FetchError for a service that does not answer
 */
export async function readCollateral(
  io: Io,
  source: string,
  _quote: Uint8Array | undefined,
  _now: () => number,
): Promise<unknown> {
  const isFolder = await stat(pathOf(io, source)).then(
    (found) => found.isDirectory(),
    () => false,
  )
  if (isFolder) throw new Error('not yet')
  return await readJson(io, '--collateral', source)
}
