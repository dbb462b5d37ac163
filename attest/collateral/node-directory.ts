/** Collateral from files. Node only. */

import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { ChrysalisError } from '../errors.ts'
import { type Collateral, parseCollateral } from '../tdx/collateral.ts'
import { inDate, isFor, type Validity, validity } from './check.ts'
import { CollateralError } from './errors.ts'
import { looksLikeNineKeys, readNineKeys } from './nine-keys.ts'
import { readBounded } from './node-files.ts'
import { collateralFromFiles, KNOWN_NAMES } from './raw-files.ts'
import { type CollateralSource, type Subject, subjectOf } from './source.ts'

/** The most files that are looked at in a folder. */
const MAX_FILES = 1024

interface Candidate {
  collateral: Collateral
  validity: Validity
  path: string
}

/** A set that cannot be used: others may, so it is an error only when none of them fits. */
interface Unusable {
  problem: CollateralError
}

/**
 * A source that reads a folder (or one file of nine keys) anew for each quote, so that files can be replaced while a
 * program runs. The layouts are in this folder's README. Of several sets for a platform it hands out the newest that
 * is valid at `now`, and if none is, the newest that was: the verdict then says that it is out of date.
 * Throws CollateralError `ERR_COLLATERAL_FILES` or `ERR_COLLATERAL_NOT_FOUND`.
 */
export function collateralFromDirectory(path: string, { now }: { now: () => number }): CollateralSource {
  const obtain: CollateralSource['obtain'] = async (quote) => {
    const subject = subjectOf(quote)
    const sets = await readAll(path)
    const usable = sets.filter((set) => 'collateral' in set)
    const fitting = usable.filter(({ collateral }) => isFor(parseCollateral(collateral), subject))
    const chosen = choose(fitting, now())
    if (chosen === undefined) throw noneFor(subject, path, sets)
    return { collateral: chosen.collateral, source: chosen.path, fetchedAt: now() }
  }
  return { obtain, collateral: async (quote) => (await obtain(quote)).collateral }
}

function choose(candidates: readonly Candidate[], now: number): Candidate | undefined {
  const newest = candidates.toSorted((a, b) => b.validity.from - a.validity.from)
  const valid = newest.find((set) => inDate(set.validity, now))
  return valid ?? newest.find(({ validity: { from } }) => from <= now) ?? newest.at(-1)
}

async function readAll(path: string): Promise<(Candidate | Unusable)[]> {
  const stats = await stat(path).catch(() => undefined)
  if (stats === undefined) throw files(`there is no file or folder ${path}`)
  if (!stats.isDirectory()) {
    const json = await readJson(path)
    return [candidate(path, () => readNineKeys(json))]
  }
  const names = (await readdir(path)).sort()
  if (names.length > MAX_FILES) throw files(`${path} holds more than ${MAX_FILES} files`)
  const sets = await readSets(path, names)
  const parts = names.filter((name) => KNOWN_NAMES.has(name.toLowerCase()))
  if (sets.length === 0 && parts.length === 0) throw nothingIn(path)
  // A folder of whole sets need not have parts.
  if (sets.length === 0 || parts.length > 0) sets.push(await readParts(path, parts))
  return sets
}

/** Every JSON file that holds the nine keys. */
async function readSets(dir: string, names: readonly string[]): Promise<(Candidate | Unusable)[]> {
  const sets: (Candidate | Unusable)[] = []
  for (const name of names.filter((file) => file.toLowerCase().endsWith('.json'))) {
    const path = join(dir, name)
    const json = await readJson(path)
    if (looksLikeNineKeys(json)) sets.push(candidate(path, () => readNineKeys(json)))
  }
  return sets
}

async function readParts(dir: string, names: readonly string[]): Promise<Candidate | Unusable> {
  const parts = new Map<string, Uint8Array>()
  for (const name of names) {
    const bytes = await readBounded(join(dir, name))
    if (bytes !== undefined) parts.set(name.toLowerCase(), bytes)
  }
  return candidate(dir, () => collateralFromFiles(parts))
}

function candidate(path: string, read: () => Collateral): Candidate | Unusable {
  try {
    const collateral = read()
    return { collateral, validity: validity(parseCollateral(collateral)), path }
  } catch (error) {
    if (!(error instanceof ChrysalisError)) throw error
    return { problem: files(`${path}: ${error.message}`, error) }
  }
}

async function readJson(path: string): Promise<unknown> {
  const bytes = await readBounded(path)
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    throw files(`${path}: not JSON`)
  }
}

/** A folder without a single file of collateral is the wrong folder; it is told what was looked for. */
function nothingIn(path: string): CollateralError {
  const known = [...KNOWN_NAMES].sort().join(', ')
  const text = `${path} holds no collateral: neither a JSON file of the nine keys nor any of ${known}`
  return new CollateralError('ERR_COLLATERAL_NOT_FOUND', text)
}

function noneFor(
  { fmspc, ca }: Subject,
  path: string,
  sets: readonly (Candidate | Unusable)[],
): CollateralError {
  const [problem] = sets.flatMap((set) => ('problem' in set ? [set.problem] : []))
  // Where there is but one set, what is wrong with it is the answer.
  if (sets.length === 1 && problem !== undefined) return problem
  const also = problem === undefined ? '' : `; one cannot be used: ${problem.message}`
  const text = `of ${sets.length} sets in ${path} none is for FMSPC ${fmspc} under the ${ca} CA${also}`
  return new CollateralError('ERR_COLLATERAL_NOT_FOUND', text)
}

function files(message: string, cause?: unknown): CollateralError {
  return new CollateralError('ERR_COLLATERAL_FILES', message, { cause })
}
