/** Readings that come before a parser of values: what they refuse was never its business. */

import { fromUtf8 } from '../bytes.ts'
import { ChrysalisError } from '../errors.ts'
import { parseStrictJson } from '../json.ts'

/** A bad input was recognised as one. */
export class RefusedError extends ChrysalisError {
  constructor(message: string) {
    super('ERR_REFUSED', message)
  }
}

/** UTF-8 text. Throws RefusedError. */
export function readText(bytes: Uint8Array): string {
  return attempt(() => fromUtf8(bytes), 'not UTF-8')
}

/** JSON of one reading. Throws RefusedError. */
export function readJson(bytes: Uint8Array): unknown {
  return attempt(() => parseStrictJson(bytes), 'not JSON')
}

function attempt<T>(read: () => T, problem: string): T {
  try {
    return read()
  } catch {
    throw new RefusedError(problem)
  }
}
