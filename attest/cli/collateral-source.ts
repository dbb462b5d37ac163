/** Where collateral comes from: a file, a folder, or a PCS or PCCS. */

import { stat } from 'node:fs/promises'
import { isWebAddress } from '../collateral/address.ts'
import { CollateralError } from '../collateral/errors.ts'
import { looksLikeNineKeys, readNineKeys } from '../collateral/nine-keys.ts'
import type { CollateralSource } from '../collateral/source.ts'
import { ChrysalisError } from '../errors.ts'
import { printable } from '../inspect/text.ts'
import type { Policy } from '../policy/policy.ts'
import { ArgumentError } from './command.ts'
import { readJson } from './evidence-files.ts'
import { unreadable } from './files.ts'
import { type Io, pathOf, styled } from './io.ts'

/** What the collateral is needed for. */
interface Need {
  quote: Uint8Array | undefined
  policy: Policy
  /** Wall clock, ms. */
  now: () => number
}

/**
 * The collateral that `--collateral` names. What is read is handed on as it is: whether it is right is for the judge.
 * @throws ArgumentError for a path that cannot be read, and for a folder or service that has none for this platform
 */
export async function readCollateral(io: Io, source: string, need: Need): Promise<unknown> {
  if (isWebAddress(source)) {
    const { collateralFromPcs } = await import('../collateral/pcs.ts')
    const { now, policy } = need
    return await ask(io, source, need.quote, () =>
      collateralFromPcs({ baseUrl: source, now, roots: policy.roots, cache: false }),
    )
  }
  const path = pathOf(io, source)
  const found = await stat(path).catch((error: unknown) => {
    throw new ArgumentError(`--collateral ${source}: ${unreadable(error)}`, { cause: error })
  })
  if (found.isDirectory()) {
    const { collateralFromDirectory } = await import('../collateral/node-directory.ts')
    return await ask(io, source, need.quote, () => collateralFromDirectory(path, need))
  }
  const json = await readJson(io, '--collateral', source)
  return looksLikeNineKeys(json) ? inOneSpelling(json) : json
}

/** Other tools write the same nine keys in other spellings; what is none of them stays as it is, to be refused. */
function inOneSpelling(json: unknown): unknown {
  try {
    return readNineKeys(json)
  } catch {
    return json
  }
}

async function ask(
  io: Io,
  name: string,
  quote: Uint8Array | undefined,
  open: () => CollateralSource,
): Promise<unknown> {
  if (quote === undefined) return undefined
  try {
    return await open().collateral(quote)
  } catch (error) {
    if (!(error instanceof ChrysalisError)) throw error
    if (error instanceof CollateralError && error.code !== 'ERR_COLLATERAL_FILES')
      throw new ArgumentError(`--collateral ${name}: ${error.message}`, { cause: error })
    // Files that were tampered with and a quote that is none are evidence: the judge refuses them by their factors.
    io.err(`${styled(io, 'dim', `--collateral ${printable(name)}: ${printable(error.message)}`)}\n`)
    return undefined
  }
}
